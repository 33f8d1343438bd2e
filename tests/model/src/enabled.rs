//! What can happen next in a world, at a glance.

use qoder_operator::api::Wish;

use crate::{
    limits::Limits,
    operator::Operator,
    world::{Action, World},
};

impl World {
    /// Whether there is any chance for it: most things can be ruled out at a glance.
    pub(super) fn may(&self, action: Action) -> bool {
        let Self { left, operator, orphans, .. } = self;
        let Operator { look, fresh, write, statuses, .. } = operator;
        let object = |name: usize| self.objects.get(name).is_some_and(Option::is_some);
        let is_publishing = |name: usize| statuses.get(name).is_some_and(Option::is_some);
        let is_landed = write.as_ref().map(|sending| sending.answer.is_some());
        match action {
            Action::Wish(name, Wish::Unmanaged) => left.switches > 0 && object(name),
            Action::Wish(name, _) => left.flips > 0 && object(name),
            Action::Create(name, _) => !object(name) && (name == 0 || left.seconds > 0),
            Action::Delete(name) => object(name) && (name == 1 || left.recreations > 0),
            Action::AskForResume(_) => left.resumes > 0,
            Action::AskForReconcile(_) => left.reconciles > 0,
            Action::ChangePolicy(_) => left.policies > 0,
            Action::Switch(_) => left.switches > 0,
            Action::Human => left.humans > 0,
            Action::Platform => left.platform > 0,
            Action::Archive => left.archives > 0,
            Action::Deliver(name) => object(name) || operator.held(name).is_some(),
            Action::FreshRead => fresh.is_none(),
            Action::FreshReadAnswered => fresh.is_some(),
            Action::StatusLands(name) | Action::StatusAnswered(name) => is_publishing(name),
            Action::StatusLost(name) => left.failed_statuses > 0 && is_publishing(name),
            Action::LateStatusLands(n) => n < self.late.len(),
            Action::Look => look.is_none() && self.may_look(),
            Action::LookAnswered => look.is_some(),
            Action::LookFails => left.failed_looks > 0 && look.is_some(),
            Action::Gap => left.gaps > 0 && look.is_some(),
            Action::WriteLands => is_landed == Some(false),
            Action::WriteAnswered => is_landed == Some(true),
            Action::WriteLost => left.losses > 0 && write.is_some(),
            Action::WriteGivenUp => left.zombies > 0 && is_landed == Some(false),
            Action::OrphanLands(n) => n < orphans.len(),
            Action::Crash => left.crashes > 0,
            Action::Release => left.releases > 0,
            Action::Wait => self.may_wait(),
        }
    }

    /// A look tells something new, or may be overtaken by a change. Others make worlds that differ in nothing.
    fn may_look(&self) -> bool {
        let Limits { humans, platform, archives, .. } = self.left;
        let may_change = humans > 0 || platform > 0 || archives > 0;
        may_change
            || self.operator.write.is_some()
            || !self.orphans.is_empty()
            || self.operator.wants_to_look(self.remote.answer(), self.now)
    }

    /// Time passes where nothing else is left to happen, or while something lost may still land.
    fn may_wait(&self) -> bool {
        let may_land = self.operator.writes.lands_until(self.now).is_some();
        may_land || !self.orphans.is_empty() || self.fair() == Some(Action::Wait)
    }
}
