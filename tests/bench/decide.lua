-- SPDX-License-Identifier: Apache-2.0
-- One decision a request. Argument: a prefix for ids of the caller's; without it the engine makes them.
require("report")
local n, prefix, fixed = 0, nil, nil

function init(args)
	prefix = args[1]
	fixed = wrk.format("POST", nil, json, '{"subject":"u-17","context":{"hour":21}}')
end

function request()
	if not prefix then
		return fixed
	end
	n = n + 1
	return wrk.format("POST", nil, json,
		string.format('{"id":"%s-%06d","subject":"u-17","context":{"hour":21}}', prefix, n))
end
