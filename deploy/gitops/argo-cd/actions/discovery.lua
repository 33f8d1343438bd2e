-- Argo CD: which actions a QoderDeployment offers.
local paused = false
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  paused = paused or condition.type == "Paused" and condition.status == "True"
end
return {
  pause = { disabled = obj.spec.paused == true, iconClass = "fa fa-fw fa-pause", displayName = "Pause" },
  -- What the platform has paused is to be resumed although the spec says so already.
  resume = { disabled = obj.spec.paused == false and not paused, iconClass = "fa fa-fw fa-play", displayName = "Resume" },
  reconcile = { disabled = false, iconClass = "fa fa-fw fa-refresh", displayName = "Reconcile" },
}
