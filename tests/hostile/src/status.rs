//! What a status may say of the remote.

use qoder_operator::{
    api::{Condition, QoderDeploymentStatus},
    qoder::{Deployment, MAX_TEXT},
    resources::mirror::{last_known, mirror},
};

/// What is kept of a deployment is bounded; a status can mirror it; and after a restart there is nothing to publish.
pub fn can_mirror(found: &Deployment) {
    let reason = found.paused_reason.as_ref();
    let schedule = found.schedule.as_ref();
    let kept = [
        Some(found.status.as_str()),
        reason.map(|reason| &*reason.kind),
        reason.and_then(|reason| reason.error.as_deref()),
        found.name.as_deref(),
        schedule.map(|schedule| &*schedule.expression),
        schedule.and_then(|schedule| schedule.timezone.as_deref()),
    ];
    for text in kept.into_iter().flatten() {
        assert!(text.chars().count() <= MAX_TEXT, "{} bytes are kept", text.len());
    }
    let mut status = QoderDeploymentStatus::default();
    mirror(found, &mut status);
    is_readable(&status);
    let known = last_known(&status).expect("a status that has looked");
    let mut again = QoderDeploymentStatus::default();
    mirror(&known, &mut again);
    assert_eq!(again, status, "after a restart");
}

/// No text of it is longer than the CRD allows, or could act on the terminal of whoever prints it; and it comes back as it was sent.
pub fn is_readable(status: &QoderDeploymentStatus) {
    let reason = status.paused_reason.as_ref();
    let schedule = status.schedule.as_ref();
    let texts = [
        (256, status.status.as_deref()),
        (256, reason.map(|reason| reason.kind.as_str())),
        (256, reason.and_then(|reason| Some(reason.error.as_ref()?.kind.as_str()))),
        (320, status.name.as_deref()),
        (256, schedule.map(|schedule| schedule.expression.as_str())),
        (256, schedule.and_then(|schedule| schedule.timezone.as_deref())),
        (64, status.archived_time.as_deref()),
    ];
    for (most, text) in texts {
        let text = text.unwrap_or_default();
        assert!(text.chars().count() <= most, "{} bytes of at most {most} characters", text.len());
        assert!(!text.contains(char::is_control), "a control character in {text:?}");
    }
    // The owner's own words: they stand in an annotation as well.
    for text in [&status.last_handled_resume_request, &status.last_handled_reconcile_request] {
        assert!(text.as_ref().is_none_or(|text| text.chars().count() <= 64), "{text:?}");
    }
    for condition in &status.conditions {
        let Condition { reason, message, .. } = condition;
        assert!(!message.contains(char::is_control) && !reason.contains(char::is_control));
    }
    let json = serde_json::to_vec(status).unwrap();
    assert_eq!(&serde_json::from_slice::<QoderDeploymentStatus>(&json).unwrap(), status);
}
