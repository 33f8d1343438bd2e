//! What has to come within a time: looked at all the time, not only when something happens.

use std::time::Duration;

use super::{Monitor, State};
use crate::replica::TIMES;

/// How long a new generation may go without any status: what the documents say, and two trips of what is slow.
const PROMPT: Duration = Duration::from_secs(8);

impl Monitor {
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
        let blind = TIMES.longest_blindness().mul_f64(1.05) + Duration::from_secs(5);
        let mut broken = Vec::new();
        for (name, object) in &self.objects {
            let looked_at = object
                .deployment
                .and_then(|n| self.accounts.get(n))
                .map(|account| account.looked_at);
            let begin = looked_at.unwrap_or_default().max(self.disturbed);
            if object.ready == "True" && now > begin + blind {
                let age = now.saturating_sub(looked_at.unwrap_or_default());
                broken.push((
                    "honesty",
                    format!("{name} is {}, {age:?} after the last look", object.reason),
                ));
            }
            let begin = object.generation_made.max(self.disturbed);
            if object.observed_generation != object.generation && now > begin + PROMPT {
                broken.push(("a new generation is answered", format!("{name}: {object:?}")));
            }
        }
        for (property, what) in broken {
            self.demand(false, property, || what);
        }
    }
}
