use super::*;
use crate::api::crd;

/// Of one, two, three and four bytes.
const CHARACTERS: [char; 4] = ['a', 'é', '語', '🦀'];

fn deployment(text: &str) -> Deployment {
    Deployment {
        status: RemoteStatus::from(text),
        paused_reason: Some(PausedReason { kind: text.into(), error: Some(text.into()) }.into()),
        archived_at: None,
        name: Some(text.into()),
        schedule: Some(Schedule { expression: text.into(), timezone: Some(text.into()) }.into()),
    }
}

fn mirrored(text: &str) -> [String; 6] {
    let mut status = QoderDeploymentStatus::default();
    mirror(&deployment(text), &mut status);
    let reason = status.paused_reason.unwrap();
    let schedule = status.schedule.unwrap();
    [
        status.name.unwrap(),
        status.status.unwrap(),
        reason.kind,
        reason.error.unwrap().kind,
        schedule.expression,
        schedule.timezone.unwrap(),
    ]
}

#[test]
fn names_are_cut_at_320_characters_and_everything_else_at_256() {
    for character in CHARACTERS {
        for length in [0, 1, 255, 256, 257, 319, 320, 321, 5000] {
            let text: String = std::iter::repeat_n(character, length).collect();
            let [name, others @ ..] = mirrored(&text);
            assert_eq!(name.chars().count(), length.min(320));
            assert!(text.starts_with(&name));
            for other in others {
                assert_eq!(other.chars().count(), length.min(256));
                assert!(text.starts_with(&other));
            }
        }
    }
}

/// An archive appends to the name: nothing of what it may say is lost.
#[test]
fn the_bounds_are_those_of_the_crd() {
    let crd = serde_json::to_value(crd().unwrap()).unwrap();
    let status =
        crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status/properties");
    let bound = |path: &str| status.unwrap().pointer(path).unwrap().as_u64();
    assert_eq!(bound("/name/maxLength"), Some(320));
    for path in [
        "/status/maxLength",
        "/pausedReason/properties/type/maxLength",
        "/pausedReason/properties/error/properties/type/maxLength",
        "/schedule/properties/expression/maxLength",
        "/schedule/properties/timezone/maxLength",
    ] {
        assert_eq!(bound(path), Some(256), "{path}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_what_fits_comes_back(text in "\\PC{0,400}|[a-z🦀\u{301}]{250,330}") {
        let mut status = QoderDeploymentStatus::default();
        mirror(&deployment(&text), &mut status);
        let known = last_known(&status).unwrap();
        if text.chars().count() <= 256 {
            let readable = super::super::text::printable(&text, 400);
            proptest::prop_assert_eq!(&known, &deployment(&readable));
        }
        // What was cut is what stands: a restart has nothing to publish.
        let mut again = QoderDeploymentStatus::default();
        mirror(&known, &mut again);
        proptest::prop_assert_eq!(again, status);
    }
}
