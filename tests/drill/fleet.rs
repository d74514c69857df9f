//! The instances of one function, as Lambda keeps them: one invocation at a time in each, as many as are needed and allowed,
//! and a new one for one that died.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatepost_local::aws::lambda::{Lambda, Outcome};
use tokio::{sync::Semaphore, time::timeout};

use super::plan::Dice;
use crate::runtime_api::{Extensions, Function, Invoked};

/// How long an invocation waits for an instance before it counts as throttled.
const QUEUED_FOR: Duration = Duration::from_secs(5);

/// What is deployed, with the limits of the template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deployed {
    pub(crate) program: &'static str,
    pub(crate) timeout: Duration,
    pub(crate) memory_mb: u64,
    pub(crate) extensions: Extensions,
    /// Instances at most.
    pub(crate) concurrency: usize,
}

pub(crate) struct Fleet {
    pub(crate) deployed: Deployed,
    environment: Vec<(String, String)>,
    seats: Semaphore,
    idle: Mutex<Vec<Arc<Function>>>,
    /// All that were ever started, for their logs, the oldest first.
    started: Mutex<Vec<Arc<Function>>>,
    dead: Mutex<Vec<u32>>,
    /// Invocations that an instance answered, by its process.
    answered: Mutex<BTreeMap<u32, usize>>,
    killed: AtomicUsize,
}

/// What came of an invocation.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(serde_json::Value),
    Failure(serde_json::Value),
    /// The instance died, or was too slow and was ended.
    Dead,
    Throttled,
}

impl Fleet {
    pub(crate) fn new(deployed: Deployed, environment: &[(String, String)]) -> Arc<Self> {
        Arc::new(Self {
            deployed,
            environment: environment.to_vec(),
            seats: Semaphore::new(deployed.concurrency),
            idle: Mutex::default(),
            started: Mutex::default(),
            dead: Mutex::default(),
            answered: Mutex::default(),
            killed: AtomicUsize::new(0),
        })
    }

    /// Lets the other functions invoke this one.
    pub(crate) fn register(self: &Arc<Self>, lambda: &Lambda) {
        let fleet = Arc::clone(self);
        let patience = QUEUED_FOR + self.deployed.timeout;
        lambda.register(self.deployed.program, patience, move |payload| answer(Arc::clone(&fleet), payload));
    }

    pub(crate) async fn invoke(&self, event: Vec<u8>) -> Reply {
        let Ok(seat) = timeout(QUEUED_FOR, self.seats.acquire()).await else { return Reply::Throttled };
        let seat = seat.expect("it is never closed");
        let instance = self.instance().await;
        let invoked = instance.invoke_or_end(event, self.deployed.timeout).await;
        let Some(invoked) = invoked else {
            self.dead.lock().expect("nobody panics with it").push(instance.process_id());
            return Reply::Dead;
        };
        if self.deployed.extensions == Extensions::Served {
            instance.may_be_frozen().await;
        }
        if let Invoked::Answer(_) = &invoked {
            let mut answered = self.answered.lock().expect("nobody panics with it");
            *answered.entry(instance.process_id()).or_default() += 1;
        }
        self.idle.lock().expect("nobody panics with it").push(instance);
        drop(seat);
        match invoked {
            Invoked::Answer(answer) => Reply::Answer(answer),
            Invoked::Failure(failure) => Reply::Failure(failure),
        }
    }

    async fn instance(&self) -> Arc<Function> {
        if let Some(idle) = self.idle.lock().expect("nobody panics with it").pop() {
            return idle;
        }
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let instance = Arc::new(Function::start(self.deployed.program, &environment, self.deployed.extensions).await);
        self.started.lock().expect("nobody panics with it").push(Arc::clone(&instance));
        instance
    }

    /// Those that are not known to have ended, the oldest first.
    pub(crate) fn living(&self) -> Vec<Arc<Function>> {
        let dead = self.dead.lock().expect("nobody panics with it").clone();
        let started = self.started.lock().expect("nobody panics with it");
        started.iter().filter(|instance| !dead.contains(&instance.process_id())).cloned().collect()
    }

    /// Kills one, but never the oldest: it is to live long enough for its memory to be watched.
    pub(crate) fn kill_one(&self, dice: &mut Dice) {
        let living = self.living();
        if let [_, others @ ..] = living.as_slice()
            && !others.is_empty()
        {
            dice.pick(others).kill();
            self.killed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn answered_by(&self, process_id: u32) -> usize {
        self.answered.lock().expect("nobody panics with it").get(&process_id).copied().unwrap_or_default()
    }

    pub(crate) fn killed(&self) -> usize {
        self.killed.load(Ordering::Relaxed)
    }

    pub(crate) fn started(&self) -> usize {
        self.started.lock().expect("nobody panics with it").len()
    }

    /// Lets all instances end in good order, as when nobody calls for a while.
    pub(crate) async fn end(&self) {
        for instance in self.living() {
            instance.end().await;
        }
    }

    /// Of everyone who ever lived.
    pub(crate) fn logs(&self) -> String {
        let started = self.started.lock().expect("nobody panics with it");
        started.iter().map(|instance| instance.log()).collect()
    }
}

async fn answer(fleet: Arc<Fleet>, payload: Vec<u8>) -> Outcome {
    match fleet.invoke(payload).await {
        Reply::Answer(answer) => Ok(answer.to_string().into_bytes()),
        Reply::Failure(failure) => Err(failure.to_string().into()),
        Reply::Dead => Err("the instance ended without an answer".into()),
        Reply::Throttled => Err("throttled".into()),
    }
}
