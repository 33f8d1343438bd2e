-- Argo CD: looks now, and applies the spec again.
local os = require("os")
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["cloud.qoder.com/reconcile-requested-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
