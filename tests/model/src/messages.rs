//! What comes of the messages of a world: between the operator and the API server, and between it and the remote.

use qoder_operator::{
    qoder::{Deployment, Scope, Verb},
    remote::Outcome,
    resources::Source,
};

use crate::{
    bug::Bug,
    cluster::ID,
    limits::Limits,
    operator::{Applied, Fresh, Look, Publishing, TIMES},
    world::{Action, World},
};

impl World {
    pub(super) fn deliver(&mut self, name: usize) -> bool {
        let held = self.operator.held(name).map(|held| (held.uid.clone(), held.version));
        match (self.objects.get(name).cloned().flatten(), held) {
            (None, Some(_)) => {
                self.tick();
                self.operator.delete(name, self.now);
            }
            (Some(object), held)
                if held.as_ref().is_none_or(|(_, version)| *version < object.version) =>
            {
                self.tick();
                self.operator.take_in(name, &object, Source::Watch, self.now);
            }
            _ => return false,
        }
        self.pass();
        true
    }

    pub(super) fn kubernetes(&mut self, action: Action, bug: Option<Bug>) -> bool {
        match action {
            Action::FreshRead => {
                if self.operator.fresh.is_some()
                    || (self.operator.write.is_some() && bug != Some(Bug::SendsTwoAtATime))
                {
                    return false;
                }
                let Some((resource, verb)) = self.operator.wanted(self.now) else { return false };
                let name = usize::from(&*resource.key.name == "b");
                let object = self.objects.get(name).cloned().flatten();
                // Another object of this name is not found under its uid, and the watch will tell.
                self.operator.fresh = Some(Fresh { resource, name, verb, object });
            }
            Action::FreshReadAnswered => {
                if self.operator.fresh.is_none() {
                    return false;
                }
                self.tick();
                self.operator.begin(self.now, &mut self.monitor);
            }
            Action::StatusLands(name) => {
                let Some(publishing) = self.operator.statuses.get(name).cloned().flatten() else {
                    return false;
                };
                if publishing.answer.is_some() {
                    return false;
                }
                let answer = self.apply(name, &publishing, bug);
                if let Some(Some(publishing)) = self.operator.statuses.get_mut(name) {
                    publishing.answer = Some(answer);
                }
                if !self.left.is_status_slow {
                    self.tick();
                    self.operator.published(name, false, self.now, &mut self.monitor);
                }
            }
            Action::StatusAnswered(name) => {
                let publishing = self.operator.statuses.get(name).cloned().flatten();
                if publishing.is_none_or(|publishing| publishing.answer.is_none()) {
                    return false;
                }
                self.tick();
                self.operator.published(name, false, self.now, &mut self.monitor);
            }
            Action::StatusLost(name) => {
                let is_under_way = self.operator.statuses.get(name).is_some_and(Option::is_some);
                if !is_under_way || !Limits::take(&mut self.left.failed_statuses) {
                    return false;
                }
                self.tick();
                self.operator.published(name, true, self.now, &mut self.monitor);
            }
            Action::LateStatusLands(n) => {
                if n >= self.late.len() {
                    return false;
                }
                let (name, publishing) = self.late.remove(n);
                self.apply(name, &publishing, bug);
            }
            _ => return false,
        }
        true
    }

    /// What the API server does with a status, and the operator with a conflict, as `ApiServer::publish` has it; here also
    /// where something is known since that the status does not know of.
    fn apply(
        &mut self,
        name: usize,
        Publishing { resource, status, .. }: &Publishing,
        bug: Option<Bug>,
    ) -> Applied {
        let is_blind = bug == Some(Bug::StatusHasNoVersion);
        let uid = resource.uid.clone();
        let Some(object) = self.objects.get_mut(name).and_then(Option::as_mut) else {
            return Applied::Gone;
        };
        let is_same =
            uid == crate::cluster::uid(object.uid) && object.generation == resource.generation;
        if object.version != resource.version && !is_blind {
            if is_same && object.digest() == status.digest() {
                return Applied::Stands(object.clone());
            }
            if !is_same || object.digest() != resource.published.digest {
                return Applied::Moved(object.clone());
            }
        }
        self.monitor.applied(resource, object);
        object.apply(status);
        Applied::Stands(object.clone())
    }

    pub(super) fn look(&mut self, action: Action) -> bool {
        match action {
            Action::Look => {
                if self.operator.look.is_some() || self.operator.cache.get(&ID).is_none() {
                    return false;
                }
                let deployment = self.remote.deployment();
                self.operator.look = Some(Look { started: self.now, deployment });
                return true;
            }
            _ if self.operator.look.is_none() => return false,
            Action::LookAnswered => self.operator.looked(self.now, &mut self.monitor),
            Action::LookFails => {
                if !Limits::take(&mut self.left.failed_looks) {
                    return false;
                }
                self.tick();
                self.operator.look_failed(self.now, &mut self.monitor);
            }
            Action::Gap => {
                if !Limits::take(&mut self.left.gaps) {
                    return false;
                }
                let Some(look) = self.operator.look.take() else { return false };
                self.operator.missed(look.started, Scope::Live, self.now, &mut self.monitor);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn write(&mut self, action: Action) -> bool {
        let lives_until = self.now + TIMES.request_lifetime();
        let under_way = self
            .operator
            .write
            .as_ref()
            .map(|sending| (sending.write.verb, sending.answer.clone()));
        match (action, under_way) {
            (Action::WriteLands, Some((verb, None))) => {
                let answer = self.land(verb);
                if let Some(sending) = &mut self.operator.write {
                    sending.answer = Some(answer);
                }
            }
            (Action::WriteAnswered, Some((_, Some(answer)))) => {
                self.tick();
                self.operator.write_ended(answer, self.now, &mut self.monitor);
            }
            (Action::WriteLost, Some(_)) => {
                if !Limits::take(&mut self.left.losses) {
                    return false;
                }
                self.tick();
                self.operator.write_ended(Err(Outcome::Ambiguous), self.now, &mut self.monitor);
            }
            (Action::WriteGivenUp, Some((verb, None))) => {
                if !Limits::take(&mut self.left.zombies) {
                    return false;
                }
                self.tick();
                self.orphans.push((verb, lives_until));
                self.operator.write_ended(Err(Outcome::Ambiguous), self.now, &mut self.monitor);
            }
            (Action::OrphanLands(n), _) => {
                if n >= self.orphans.len() {
                    return false;
                }
                let (verb, _) = self.orphans.remove(n);
                let _ = self.land(verb);
            }
            _ => return false,
        }
        true
    }

    fn land(&mut self, verb: Verb) -> Result<Deployment, Outcome> {
        if !self.remote.take(verb) {
            return Err(Outcome::Conflict);
        }
        let owner = self.owner().cloned();
        self.monitor.landed(verb, owner.as_ref());
        Ok(self.remote.deployment())
    }
}
