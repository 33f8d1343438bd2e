//! The elector: keeps the Lease, or waits for it.

use std::fmt;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, api::PostParams};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{
    claim::Claim,
    evaluate::{LeaseTimes, Seen, Start, Step, Term, evaluate},
    lease::{record, released, renewed},
};
use crate::{chain::Chain, env::Env, times::Times};

/// What this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It acts.
    Leader(Term),
    /// It waits for the Lease, which this one holds, as far as anyone does.
    Standby(Option<String>),
}

/// Keeps the Lease, or waits for it.
pub struct Elector {
    api: Api<Lease>,
    name: String,
    /// Who we are: no other process has it.
    identity: String,
    times: LeaseTimes,
    env: Env,
    claim: Claim,
    role: watch::Sender<Role>,
    /// The Lease as it was read or written last, and what was seen of it.
    lease: Lease,
    seen: Option<Seen>,
    /// While we lead: until when, if no renewal succeeds.
    leads_until: Option<Instant>,
    /// How often it has begun to lead.
    terms: u64,
    /// The last try failed, and that was told.
    is_failure_told: bool,
}

impl Elector {
    /// One that has not looked at the Lease yet. `host`: where it runs, for people.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        host: &str,
        times: LeaseTimes,
        env: Env,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: format!("{host}_{}", env.uuid()),
            times,
            env,
            claim: Claim::none(),
            role: watch::Sender::new(Role::Standby(None)),
            lease: Lease::default(),
            seen: None,
            leads_until: None,
            terms: 0,
            is_failure_told: false,
        }
    }

    /// The claim that it keeps.
    #[must_use]
    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// What this process is, as it changes.
    #[must_use]
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }

    /// Takes part until told to `leave`; then gives the Lease back if it is left clean, and else leaves it to expire.
    pub async fn run(mut self, mut leave: watch::Receiver<Option<Start>>) {
        loop {
            let left = tokio::select! {
                biased;
                left = leave.wait_for(Option::is_some) => left.ok().and_then(|left| *left),
                () = self.once() => continue,
            };
            if self.leads_until.is_some() && left == Some(Start::Clean) {
                self.release().await;
            }
            return self.claim.set(None);
        }
    }

    /// One try, and the wait after it.
    async fn once(&mut self) {
        let started = Instant::now();
        // A call that hangs does not keep anyone from seeing that the claim has run out.
        let end = self.leads_until.unwrap_or(started + self.times.renew_deadline);
        let failed = match timeout_at(end, self.step(started)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Chain(&error).to_string()),
            Err(_) => Some("the Kubernetes API did not answer in time".to_owned()),
        };
        if let Some(error) = failed {
            if !std::mem::replace(&mut self.is_failure_told, true) {
                tracing::warn!(
                    lease = self.name,
                    error,
                    "failed to look after the Lease, and will try again"
                );
            }
        } else {
            self.is_failure_told = false;
        }
        let mut next = started + self.times.retry_period;
        if self.leads_until.is_none() {
            // Those who wait do not all come at once.
            next -= self.times.retry_period.mul_f64(self.env.jitter() / 4.0);
        }
        sleep_until(self.leads_until.map_or(next, |until| next.min(until))).await;
        if self.leads_until.is_some_and(|until| Instant::now() >= until) {
            self.lose("it could not be renewed in time");
        }
    }

    async fn step(&mut self, started: Instant) -> kube::Result<()> {
        // A leader knows the Lease: it has written it.
        if self.leads_until.is_none() {
            self.look().await?;
        }
        let result = self.act(started).await;
        match result {
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
                // Someone else has written, or deleted it.
                self.look().await?;
                self.act(started).await
            }
            result => result,
        }
    }

    /// Reads the Lease.
    async fn look(&mut self) -> kube::Result<()> {
        let lease = self.api.get_opt(&self.name).await?;
        self.saw(lease);
        Ok(())
    }

    fn saw(&mut self, lease: Option<Lease>) {
        let record = lease.as_ref().map(|lease| record(lease, &self.times));
        self.seen = Some(Seen::after(self.seen.as_ref(), record, Instant::now()));
        self.lease = lease.unwrap_or_default();
    }

    /// Does what is to be done about the Lease as it was seen.
    async fn act(&mut self, started: Instant) -> kube::Result<()> {
        let Some(seen) = &self.seen else { return Ok(()) };
        let step = match evaluate(&self.identity, seen, &self.times, Instant::now()) {
            // It was deleted while we lead: our own claim is the only one.
            Step::Wait if self.leads_until.is_some() && seen.record.is_none() => {
                Step::Create(Start::Unclean)
            }
            step => step,
        };
        let params = PostParams::default();
        let (lease, start) = match step {
            Step::Wait => {
                let holder = seen.record.as_ref().map(|record| record.holder.clone());
                if self.leads_until.is_some() {
                    self.lose("someone else has taken it");
                }
                self.become_standby(holder.as_deref());
                return Ok(());
            }
            Step::Create(start) => {
                let lease = self.renewed();
                (self.api.create(&params, &lease).await?, start)
            }
            Step::Take(start) => {
                let lease = self.renewed();
                (self.api.replace(&self.name, &params, &lease).await?, start)
            }
            // If we do not lead, a renewal has succeeded that nobody heard of in time.
            Step::Renew => {
                let lease = self.renewed();
                (self.api.replace(&self.name, &params, &lease).await?, Start::Unclean)
            }
        };
        self.saw(Some(lease));
        self.lead(started, start);
        Ok(())
    }

    fn renewed(&self) -> Lease {
        let now = self.env.wall_clock();
        renewed(&self.lease, &self.name, &self.identity, &self.times, now)
    }

    /// We lead, since the request began that has said so.
    fn lead(&mut self, started: Instant, start: Start) {
        let until = started + self.times.renew_deadline;
        if Instant::now() >= until {
            // It came too late to be worth anything.
            return;
        }
        let was_leader = self.leads_until.replace(until).is_some();
        self.claim.set(Some(until));
        if !was_leader {
            tracing::info!(lease = self.name, identity = self.identity, before = ?start, "leads");
            self.terms += 1;
            self.role.send_replace(Role::Leader(Term { number: self.terms, start }));
        }
    }

    fn lose(&mut self, why: &str) {
        self.leads_until = None;
        self.claim.set(None);
        tracing::warn!(lease = self.name, why, "has lost the lead, and stands by");
        self.role.send_replace(Role::Standby(None));
    }

    fn become_standby(&self, holder: Option<&str>) {
        let role = Role::Standby(holder.map(str::to_owned));
        let is_news =
            self.role.send_if_modified(|now| std::mem::replace(now, role.clone()) != role);
        if is_news {
            tracing::info!(lease = self.name, leader = holder, "stands by");
        }
    }

    /// Gives the Lease back: the next one leads at once.
    async fn release(&mut self) {
        // Nothing is sent any more.
        self.claim.set(None);
        let released = timeout(Times::LAST_RELEASE / 2, async {
            loop {
                let lease = released(&self.lease, self.env.wall_clock());
                match self.api.replace(&self.name, &PostParams::default(), &lease).await {
                    Ok(_) => return Ok(()),
                    // A renewal whose answer was not waited for.
                    Err(kube::Error::Api(status)) if status.code == 409 => self.look().await?,
                    Err(error) => return Err(error),
                }
                let holder =
                    self.lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref());
                if holder != Some(&self.identity) {
                    return Ok(());
                }
            }
        });
        match released.await {
            Ok(Ok(())) => tracing::info!(lease = self.name, "released the Lease"),
            Ok(Err(error)) => {
                tracing::warn!(lease = self.name, error = %Chain(&error), "failed to release the Lease; it expires");
            }
            Err(_) => {
                tracing::warn!(
                    lease = self.name,
                    "failed to release the Lease in time; it expires"
                );
            }
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader(_) => f.write_str("leads"),
            Self::Standby(Some(leader)) => write!(f, "stands by; {leader} leads"),
            Self::Standby(None) => f.write_str("stands by; nobody leads yet"),
        }
    }
}
