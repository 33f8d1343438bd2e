-- Argo CD: pauses the deployment.
obj.spec.paused = true
return obj
