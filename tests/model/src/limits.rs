//! How often each thing may happen in a world. What is not named happens never.

/// How often each thing may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Changes of `spec.paused`.
    pub flips: u8,
    /// Somebody else pauses or resumes the deployment.
    pub humans: u8,
    /// The platform pauses it.
    pub platform: u8,
    pub archives: u8,
    /// A request takes effect, and its answer is lost.
    pub losses: u8,
    /// A request is given up, and may still take effect.
    pub zombies: u8,
    /// The process ends, and another one begins: its messages may still land.
    pub crashes: u8,
    /// The answer of a status is lost, before or after it has landed.
    pub failed_statuses: u8,
    /// A read of the remote fails.
    pub failed_looks: u8,
    /// A list does not show the deployment.
    pub gaps: u8,
    /// The resource is deleted, and made again under its name.
    pub recreations: u8,
    /// A second resource for the deployment comes, and goes.
    pub seconds: u8,
    /// `resume-requested-at`, `reconcile-requested-at`.
    pub resumes: u8,
    pub reconciles: u8,
    /// `driftPolicy` is changed; `reconcile: disabled` is set or taken away; `paused` is taken away.
    pub policies: u8,
    pub switches: u8,
    /// A clean end, and another process begins.
    pub releases: u8,
    /// The answer of a status comes later than the status lands.
    pub is_status_slow: bool,
}

impl Limits {
    /// Takes one, if there is one left.
    pub fn take(of: &mut u8) -> bool {
        let is_left = *of > 0;
        *of = of.saturating_sub(1);
        is_left
    }
}
