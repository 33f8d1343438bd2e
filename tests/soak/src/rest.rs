//! What has to be so when all trouble has been over for a while.

use serde_json::Value;

use crate::world::World;

/// Checks every resource. Returns whether all is as it will stay: nothing waits for a slow look or for the end of a hold.
pub(crate) fn check(world: &World, property: &'static str) -> bool {
    let mut stays = true;
    for (name, object) in world.objects() {
        match is_right(world, name, &object) {
            Ok(is_for_good) => stays &= is_for_good,
            Err(what) => {
                let what = format!("{name}: {what}; {object}");
                world.around.monitor.breaks(property, what);
            }
        }
    }
    stays
}

/// Checks that nothing says any more that the token is not accepted.
pub(crate) fn check_token(world: &World) {
    for (name, object) in world.objects() {
        if world.around.monitor.state().read(&object).reason == "CredentialRejected" {
            world.around.monitor.breaks("a token is tried again", format!("{name}: {object}"));
        }
    }
}

fn is_right(world: &World, name: &str, object: &Value) -> Result<bool, String> {
    let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    let state = world.around.monitor.state();
    let seen = state.read(object);
    let ready = format!("{} {}", seen.ready, seen.reason);
    if seen.observed_generation != seen.generation {
        return Err("its generation is not answered".to_owned());
    }
    let Some(n) = seen.deployment else { return Err("it names no deployment".to_owned()) };
    if seen.paused.is_some() && state.owner(n).is_none_or(|(owner, _)| owner != name) {
        return expect(&ready, "False DuplicateOwner");
    }
    let id = spec["deploymentID"].as_str().unwrap_or_default();
    let remote = world.around.simulator.deployment(id).unwrap_or_default();
    for (ours, theirs) in
        [("/status", "/status"), ("/name", "/name"), ("/pausedReason/type", "/paused_reason/type")]
    {
        let (ours, theirs) = (status.pointer(ours), remote.pointer(theirs));
        if ours.unwrap_or(&Value::Null) != theirs.unwrap_or(&Value::Null) {
            return Err(format!("it says {ours:?}, and it is {theirs:?}"));
        }
    }
    let is_paused = remote["status"] == "paused";
    let is_by_platform = is_paused && remote["paused_reason"]["type"] == "error";
    if !remote["archived_at"].is_null() {
        return expect(&ready, "False RemoteArchived");
    }
    if seen.is_disabled {
        return expect(&ready, "True ReconcileDisabled");
    }
    for (ours, theirs) in [
        ("lastHandledReconcileRequest", "cloud.qoder.com/reconcile-requested-at"),
        ("lastHandledResumeRequest", "cloud.qoder.com/resume-requested-at"),
    ] {
        let asked = &metadata["annotations"][theirs];
        if !asked.is_null() && &status[ours] != asked {
            return Err(format!("{theirs} is not handled"));
        }
    }
    match seen.paused {
        None => expect(&ready, "True Observed"),
        Some(paused) if paused == is_paused => expect(&ready, "True InSync"),
        Some(false) if is_by_platform && state.is_resume_due(n) => {
            Err("a resume was asked for, and it is paused still".to_owned())
        }
        Some(false) if is_by_platform => expect(&ready, "False PausedByPlatform"),
        Some(_) if seen.warns && !state.was_reached(n) => {
            Err("what it asks for has never been so".to_owned())
        }
        Some(_) if seen.warns => expect(&ready, "True DriftTolerated"),
        // It is left alone for a while, and says so.
        Some(_) => {
            state.check_hold(n)?;
            expect(&ready, "False Contested").map(|_| false)
        }
    }
}

fn expect(ready: &str, expected: &str) -> Result<bool, String> {
    if ready == expected { Ok(true) } else { Err(format!("Ready is {ready}, and not {expected}")) }
}
