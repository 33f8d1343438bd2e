-- Argo CD: resumes the deployment, also if the platform has paused it.
local os = require("os")
obj.spec.paused = false
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["cloud.qoder.com/resume-requested-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
