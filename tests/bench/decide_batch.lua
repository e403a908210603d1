-- SPDX-License-Identifier: Apache-2.0
-- A hundred decisions a request.
require("report")
local fixed

function init()
	local items = {}
	for i = 1, 100 do
		items[i] = string.format('{"subject":"u-%d","context":{"hour":21}}', i)
	end
	fixed = wrk.format("POST", nil, json, "[" .. table.concat(items, ",") .. "]")
end

function request()
	return fixed
end
