//! Accounts: each has its own deployments, tokens, settings, faults, limits, clock and journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use crate::access::{self, Token};
use crate::api::Api;
use crate::clock::Clock;
use crate::exchange::Core;
use crate::journal::{Journal, Lines};
use crate::seed::SeedError;
use crate::settings::Settings;

const TAKEN: &str = "another account has this token, or will have it again after a reset";

/// How an account begins, and what a reset leads back to.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    pub(crate) token: Token,
    pub(crate) deployments: Arc<[Value]>,
    pub(crate) settings: Settings,
    /// What the clock shows; none: the real time.
    pub(crate) start_time: Option<Timestamp>,
    /// How many entries the journal keeps.
    pub(crate) journal: usize,
    /// Where a line is printed for each request.
    pub(crate) log: Option<Lines>,
}

/// One account.
#[derive(Debug)]
pub(crate) struct Account {
    beginning: Beginning,
    core: Mutex<Arc<Core>>,
    /// Outlives a reset.
    changed: watch::Sender<u64>,
}

impl Account {
    pub(crate) fn new(beginning: Beginning) -> Result<Self, SeedError> {
        let changed = watch::Sender::new(0);
        let core = begin(&beginning, &changed)?;
        Ok(Self { beginning, core: Mutex::new(Arc::new(core)), changed })
    }

    /// What it has since its start or its last reset.
    pub(crate) fn core(&self) -> Arc<Core> {
        Arc::clone(&self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it knows a token, or will again after a reset.
    fn has(&self, token: &Token) -> bool {
        self.beginning.token.is(token) || self.core().api().tokens.iter().any(|own| own.is(token))
    }

    /// A counter that moves when something has changed that may be waited for, a reset too.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Everything as at the start. What is under way goes on with what it began with, and leaves no trace in the new.
    pub(crate) fn reset(&self) -> Result<(), SeedError> {
        let core = Arc::new(begin(&self.beginning, &self.changed)?);
        *self.core.lock().unwrap_or_else(PoisonError::into_inner) = core;
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }
}

fn begin(beginning: &Beginning, changed: &watch::Sender<u64>) -> Result<Core, SeedError> {
    let Beginning { token, deployments, settings, start_time, journal, log } = beginning;
    let clock = Clock::new(*start_time);
    let mut api = Api::new(*settings, vec![token.clone()]);
    // Not a moment later: the ids are made of the time.
    api.store.seed(deployments, clock.start())?;
    Ok(Core::new(api, clock, Journal::new(*journal, log.clone(), changed.clone())))
}

/// All accounts of a process.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// That of whoever is in no other one.
    pub(crate) main: Arc<Account>,
    others: Mutex<BTreeMap<String, Arc<Account>>>,
}

impl Accounts {
    pub(crate) fn new(main: Account) -> Self {
        Self { main: Arc::new(main), others: Mutex::default() }
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Account>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account that a request is about: the one that knows its token, else the one that did, else the main one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Arc<Account> {
        let knows = |account: &Arc<Account>| {
            access::authenticate(&account.core().api().tokens, headers).is_some()
        };
        let knew = |account: &Arc<Account>| {
            access::authenticate(&account.core().api().revoked, headers).is_some()
        };
        let others = self.others();
        let mut all = [&self.main].into_iter().chain(others.values());
        let found = all
            .clone()
            .find(|account| knows(account))
            .or_else(|| all.find(|account| knew(account)));
        Arc::clone(found.unwrap_or(&self.main))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.others().keys().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Account>> {
        self.others().get(name).cloned()
    }

    /// Adds an account. The error is a text for a person.
    pub(crate) fn add(
        &self,
        name: &str,
        token: Token,
        deployments: Vec<Value>,
    ) -> Result<(), String> {
        token.check()?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        // Clients take dots for steps in a path.
        if ["", ".", ".."].contains(&name) || !name.bytes().all(is_name) {
            return Err(
                "the name of an account must have letters, digits and -_. only, and not be . or .."
                    .to_owned(),
            );
        }
        let mut others = self.others();
        if others.contains_key(name) {
            return Err(format!("there is an account {name}"));
        }
        if self.main.has(&token) || others.values().any(|other| other.has(&token)) {
            return Err(TAKEN.to_owned());
        }
        let beginning =
            Beginning { token, deployments: deployments.into(), ..self.main.beginning.clone() };
        let account = Account::new(beginning).map_err(|error| error.to_string())?;
        others.insert(name.to_owned(), Arc::new(account));
        Ok(())
    }

    /// Replaces the tokens of an account. The error is a text for a person.
    pub(crate) fn set_tokens(&self, account: &Account, tokens: Vec<Token>) -> Result<(), String> {
        tokens.iter().try_for_each(Token::check)?;
        let others = self.others();
        let mut all = others.values().chain([&self.main]).map(Arc::as_ref);
        if all.any(|other| !std::ptr::eq(other, account) && tokens.iter().any(|own| other.has(own)))
        {
            return Err(TAKEN.to_owned());
        }
        account.core().api().accept(tokens);
        Ok(())
    }

    /// Drops an account.
    pub(crate) fn remove(&self, name: &str) -> Option<()> {
        self.others().remove(name).map(drop)
    }
}
