//! What nearly every part of the operator works with.

use std::sync::Arc;

use crate::{env::Env, leader::Claim, metrics::Metrics, times::Times, traces::Traces};

/// So many are many: lists are cheap, whatever else is named.
pub const MANY: usize = 1000;

/// What nearly every part works with. A clone counts into the same metrics and draws from the same chance.
#[derive(Clone)]
pub struct Context {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Chance, and the wall clock.
    pub env: Env,
    /// The flags' times.
    pub times: Times,
    /// Whether this process may act.
    pub claim: Claim,
    /// What is under way, for whoever follows traces.
    pub traces: Arc<Traces>,
    /// [`MANY`], but for tests.
    pub many: usize,
}

impl Context {
    /// Of a process without election that has counted nothing yet.
    #[must_use]
    pub fn new(env: Env, times: Times) -> Self {
        Self {
            metrics: Arc::default(),
            env,
            times,
            claim: Claim::always(),
            traces: Arc::default(),
            many: MANY,
        }
    }
}
