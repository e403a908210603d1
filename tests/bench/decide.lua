-- SPDX-License-Identifier: Apache-2.0
-- One decision a request. Arguments: a prefix for ids of the caller's, without it or with an empty one
-- the engine makes them; a body in place of the usual one, without ids.
require("report")
local n, prefix, fixed = 0, nil, nil

function init(args)
	prefix = args[1] ~= "" and args[1] or nil
	fixed = wrk.format("POST", nil, json, args[2] or '{"subject":"u-17","context":{"hour":21}}')
end

function request()
	if not prefix then
		return fixed
	end
	n = n + 1
	return wrk.format("POST", nil, json,
		string.format('{"id":"%s-%06d","subject":"u-17","context":{"hour":21}}', prefix, n))
end
