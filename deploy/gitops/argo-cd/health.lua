-- Argo CD: the health of a QoderDeployment. One that is paused as desired is Healthy, and the message says so.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not answered this generation yet" }
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local ready = conditions.Ready
if ready == nil then
  return { status = "Progressing", message = "the operator has not reported yet" }
end
if holds("Stalled") then
  return { status = "Degraded", message = ready.message }
end
if not holds("Ready") then
  return { status = "Progressing", message = ready.message }
end
if holds("Paused") then
  return { status = "Healthy", message = "paused; " .. ready.message }
end
return { status = "Healthy", message = ready.message }
