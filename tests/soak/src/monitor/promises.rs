//! What has to come within a time: looked at all the time, not only when something happens.

use std::time::Duration;

use tokio::time::Instant;

use super::{Monitor, State};

/// How long a new generation may go without any status: what the documents say, and two trips of what is slow.
const PROMPT: Duration = Duration::from_secs(8);
/// How old the last look at what is Ready may be: four polls.
const BLINDNESS: Duration = Duration::from_secs(120);
/// How long a deployment is left alone the first time that somebody else keeps changing it, and at most.
const FIRST_HOLD: Duration = Duration::from_secs(600);
const LONGEST_HOLD: Duration = Duration::from_secs(3600);
/// How long it may take until a change by somebody else is seen, and what follows from it is done.
const SLACK: Duration = Duration::from_secs(100);

impl Monitor {
    /// Whether this process holds the claim.
    pub fn leads(&self, process: usize) -> bool {
        self.state().processes.get(&process).is_some_and(|process| process.claim.is_held())
    }

    /// `has_leader`: someone leads who can do something.
    pub fn look(&self, has_leader: bool) {
        let mut state = self.state();
        if !has_leader {
            state.disturb(Duration::ZERO);
        }
        state.check_claims();
        state.check_promises();
    }
}

impl State {
    /// A status begins to say that a deployment is left alone.
    pub fn hold_begins(&mut self, deployment: Option<usize>) {
        let now = self.now();
        if let Some(account) = deployment.and_then(|n| self.accounts.get_mut(n)) {
            account.holds += 1;
            account.hold_began = now;
        }
    }

    /// Whether it may still be left alone, where nothing has been wrong for a while.
    pub fn check_hold(&self, deployment: usize) -> Result<(), String> {
        let Some(account) = self.accounts.get(deployment) else { return Ok(()) };
        let doubled = FIRST_HOLD * 2_u32.pow(account.holds.clamp(1, 9) - 1);
        let longest = doubled.min(LONGEST_HOLD).mul_f64(1.05) + SLACK;
        let age = self.now().saturating_sub(account.hold_began);
        if age <= longest { Ok(()) } else { Err(format!("it is left alone for {age:?}")) }
    }

    /// The API server has taken a renewal that was sent then.
    pub fn holds_lease(&mut self, process: usize, sent: Instant) {
        let sent = sent.saturating_duration_since(self.begin);
        if let Some(holder) = self.processes.get_mut(&process) {
            holder.leads_until = holder.lease.map(|lease| sent + lease);
        }
    }

    /// Whoever sends something holds the Lease: by its own claim, and by what the API server has seen of it.
    pub fn check_leader(&mut self, process: usize, what: impl FnOnce() -> String) {
        let now = self.now();
        let is_leader = self.processes.get(&process).is_none_or(|sender| {
            let is_sure =
                sender.lease.is_none() || sender.leads_until.is_some_and(|until| now <= until);
            sender.claim.is_held() && is_sure
        });
        self.demand(is_leader, "only the leader acts", what);
    }

    fn check_claims(&mut self) {
        let held: Vec<_> = self
            .processes
            .iter()
            .filter(|(_, process)| process.claim.is_held())
            .map(|(number, _)| *number)
            .collect();
        self.demand(held.len() <= 1, "one leader", || format!("{held:?} lead"));
        if let [leader] = *held
            && self.leader.replace(leader) != Some(leader)
        {
            self.note(&format!("p{leader} leads"));
            self.forget_memory();
            self.disturb(Duration::ZERO);
        }
    }

    fn check_promises(&mut self) {
        let now = self.now();
        // An answer may be on its way, and a slow clock is slow.
        let blind = BLINDNESS.mul_f64(1.05) + Duration::from_secs(5);
        let mut broken = Vec::new();
        for (name, object) in &self.objects {
            let looked_at = object
                .deployment
                .and_then(|n| self.accounts.get(n))
                .map(|account| account.looked_at);
            let disturbed = self.disturbed_for.get(name).copied().unwrap_or_default();
            let disturbed = disturbed.max(self.disturbed);
            let begin = looked_at.unwrap_or_default().max(disturbed);
            if object.ready == "True" && now > begin + blind {
                let age = now.saturating_sub(looked_at.unwrap_or_default());
                broken.push((
                    "honesty",
                    format!("{name} is {}, {age:?} after the last look", object.reason),
                ));
            }
            let begin = object.generation_made.max(disturbed);
            if object.observed_generation != object.generation && now > begin + PROMPT {
                broken.push(("a new generation is answered", format!("{name}: {object:?}")));
            }
        }
        for (property, what) in broken {
            self.demand(false, property, || what);
        }
    }
}
