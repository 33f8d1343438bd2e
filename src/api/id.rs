//! The id of a remote deployment, checked once so that nothing after it can be surprised.

use std::{borrow::Borrow, fmt, sync::Arc};

/// `dep_` and 1 to 64 letters or digits: the pattern of the CRD, enforced again in code because a
/// CRD can be edited. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId(Arc<str>);

/// The text is not a deployment id. It is not repeated: it may be remote text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a deployment id: expected dep_ and 1 to 64 letters or digits")]
pub struct InvalidDeploymentId;

impl DeploymentId {
    /// The pattern of the CRD, as a regular expression.
    pub const PATTERN: &str = "^dep_[A-Za-z0-9]{1,64}$";
    /// The longest id: `dep_` and 64.
    pub const MAX_LENGTH: u32 = 68;

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for DeploymentId {
    type Error = InvalidDeploymentId;

    fn try_from(text: &str) -> Result<Self, InvalidDeploymentId> {
        let suffix = text.strip_prefix("dep_").ok_or(InvalidDeploymentId)?;
        let valid =
            (1..=64).contains(&suffix.len()) && suffix.bytes().all(|b| b.is_ascii_alphanumeric());
        valid.then(|| Self(text.into())).ok_or(InvalidDeploymentId)
    }
}

impl Borrow<str> for DeploymentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pattern_of_the_crd_is_an_id() {
        for good in ["dep_0", "dep_019ec55a2b687b3f94eee77dd77e4b2a", "dep_Zz9"] {
            assert_eq!(DeploymentId::try_from(good).unwrap().as_str(), good);
        }
        let long = format!("dep_{}", "a".repeat(65));
        for bad in ["", "dep_", "dep", "run_1", "dep_a/b", "dep_..", "dep_é", "dep_a ", &long] {
            assert_eq!(DeploymentId::try_from(bad), Err(InvalidDeploymentId), "{bad}");
        }
    }
}
