-- SPDX-License-Identifier: Apache-2.0
-- One reward a request, for decisions PREFIX-000001 and so on, each once. Argument: the prefix. For
-- one thread of wrk.
require("report")
local n, prefix = 0, nil

function init(args)
	prefix = args[1]
end

function request()
	n = n + 1
	return wrk.format("POST", nil, json, string.format('{"decision":"%s-%06d","reward":1}', prefix, n))
end
