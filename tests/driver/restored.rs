//! etcd is restored from a backup, and the fresh read is the first to see it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use apiserver::{ApiServer, Service};
use http::Request;
use kube::client::Body;
use qoder_operator::{
    context::Context,
    controller::Controller,
    env::Env,
    kubernetes,
    qoder::{BaseUrl, Client},
    remote::{Account, Rates},
};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    bed::{Bed, NAMESPACE, POLL, Setup, in_virtual_time},
    log::keep_log,
    logs::lines,
};

const SECOND: Duration = Duration::from_secs(1);

/// The API server, until another one has taken its place.
#[derive(Clone)]
pub struct Restored {
    pub before: Service,
    pub after: Service,
    pub is_done: Arc<AtomicBool>,
}

impl tower::Service<Request<Body>> for Restored {
    type Response = <Service as tower::Service<Request<Body>>>::Response;
    type Error = <Service as tower::Service<Request<Body>>>::Error;
    type Future = <Service as tower::Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.is_done.load(Ordering::Relaxed) {
            tower::Service::call(&mut self.after, request)
        } else {
            tower::Service::call(&mut self.before, request)
        }
    }
}

/// An operator whose API server is restored from a backup when `is_done` says so.
struct Restoring {
    bed: Bed,
    backup: ApiServer,
    is_done: Arc<AtomicBool>,
    _stop: watch::Sender<bool>,
}

impl Restoring {
    async fn begin() -> Self {
        let setup = Setup::with(2);
        let (token, times) = (setup.token.clone(), setup.times);
        let bed = Bed::prepare(setup).await;
        let backup = ApiServer::new();
        let is_done = Arc::new(AtomicBool::new(false));
        let service = Restored {
            before: bed.server.service(),
            after: backup.service(),
            is_done: Arc::clone(&is_done),
        };
        let env = Env::seeded(7, "2026-07-01T02:00:00Z".parse().unwrap());
        let base_url = BaseUrl::parse(&bed.simulator.base_url(), false).unwrap();
        let qoder = Client::new(Arc::new(bed.wire.clone()), base_url, None, env.clone());
        let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
        let account = Account::new(token, rates, times);
        let context = Context::new(env, times);
        let client = kubernetes::bounded(service, "default");
        let controller = Controller::new(client, qoder, account, Vec::new(), context);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(controller.run(stopped));
        Self { bed, backup, is_done, _stop: stop }
    }
}

#[test]
fn no_resume_is_sent_while_the_resource_as_just_read_says_paused_although_its_version_went_back() {
    in_virtual_time(async {
        let Restoring { bed, backup, is_done, _stop } = Restoring::begin().await;
        bed.apply("r0", 0, Some(true));
        bed.until("r0", "True InSync", 2 * SECOND).await;
        backup.deployments().smuggle(bed.object("r0"));
        // Months go by.
        for i in 0..50 {
            bed.annotate("r0", "x", &i.to_string());
        }
        bed.flip("r0", false);
        bed.until("r0", "True InSync", 2 * SECOND).await;
        let version = |server: &ApiServer| {
            let object = server.deployments().get(NAMESPACE, "r0").unwrap();
            assert_eq!(object["metadata"]["uid"], bed.object("r0")["metadata"]["uid"]);
            object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap()
        };
        assert!(version(&backup) < version(&bed.server));
        bed.forget();
        // The backup says paused, and somebody pauses what it should be.
        bed.server.hold_watches();
        is_done.store(true, Ordering::Relaxed);
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.pass(POLL + SECOND).await;
        let restored = backup.deployments().get(NAMESPACE, "r0").unwrap();
        assert_eq!(restored["spec"]["paused"], json!(true));
        assert_eq!(bed.writes(), [""; 0], "the resource says paused");
    });
}

/// etcd was restored, and the watch has not told of it yet: a status is due.
#[test]
fn a_status_for_a_resource_whose_version_went_back_is_tried_with_growing_waits() {
    in_virtual_time(async {
        let Restoring { bed, backup, is_done, _stop } = Restoring::begin().await;
        backup.set_latency(SECOND / 100);
        bed.apply("r0", 0, Some(true));
        bed.until("r0", "True InSync", 2 * SECOND).await;
        backup.deployments().smuggle(bed.object("r0"));
        for i in 0..50 {
            bed.annotate("r0", "x", &i.to_string());
        }
        bed.pass(SECOND).await;
        bed.server.hold_watches();
        is_done.store(true, Ordering::Relaxed);
        bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
        bed.pass(POLL + 10 * SECOND).await;
        let is_status = |entry: &&apiserver::Entry| entry.subresource == "status";
        let applies = backup.journal().iter().filter(is_status).count();
        assert!(applies <= 20, "{applies} status applies while the watch was silent");
    });
}

/// As `what_a_restore_has_put_into_the_status_goes_when_it_does_not_hold`: and what is new is told.
#[test]
fn what_is_new_after_a_restore_is_told_in_an_event_and_in_the_log() {
    let mut found = Vec::new();
    for leftover in [false, true] {
        in_virtual_time(async {
            let mut bed = Bed::prepare(Setup::with(2)).await;
            bed.server.set_latency(SECOND / 100);
            bed.apply("r0", 0, Some(false));
            bed.apply("r1", 1, Some(false));
            bed.server
                .deployments()
                .edit_status(NAMESPACE, "r0", |status| {
                    let condition = |kind: &str, status: &str, reason: &str| {
                        json!({
                            "type": kind, "status": status, "reason": reason, "message": "",
                            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
                        })
                    };
                    *status = json!({
                        "observedGeneration": 1, "desired": "Active", "status": "active",
                        "lastReached": { "desired": "Active", "generation": 1 },
                        "conditions": [condition("Ready", "True", "InSync")],
                    });
                    if leftover {
                        status["archivedTime"] = json!("2026-01-01T00:00:00Z");
                    }
                })
                .unwrap();
            bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
            keep_log();
            bed.run();
            bed.until("r0", "False PausedByPlatform", 3 * SECOND).await;
            bed.pass(60 * SECOND).await;
            let changes =
                lines("Ready has changed").iter().filter(|line| line.contains("name=r0")).count();
            if bed.events("r0") != ["PausedByPlatform"] || changes != 1 {
                found.push(format!(
                    "leftover {leftover}: events {:?}, {changes} lines",
                    bed.events("r0")
                ));
            }
        });
    }
    assert!(found.is_empty(), "{found:#?}");
}
