//! Giving back what was taken for a session, once and off the session's path.
//!
//! Lives here: the queue, how often it is tried, and waiting for it at the end. Never: what giving back means.

use brattice_core::ports::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

/// What is given back at once, over all targets.
const AT_ONCE_MAX: usize = 8;
/// How long is waited before each try.
const TRIES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
/// How long one try may take.
const TRY_MAX: Duration = Duration::from_secs(20);

/// Something to give back.
pub(super) trait Debt: Send + Sync {
    /// What it is, for the operator: no secret.
    fn what(&self) -> String;
    /// Gives it back. What is gone already counts as given back.
    fn pay(&self) -> BoxFuture<'_, Result<(), String>>;
    /// Said once, at the end of all tries.
    fn settled(&self, paid: bool);
}

/// The queue. There is at most one debt for each session that was open, so its length is bounded as theirs is.
pub(super) struct Returns {
    queue: mpsc::UnboundedSender<Box<dyn Debt>>,
    open: Arc<watch::Sender<usize>>,
}

impl Returns {
    /// Begins on the runtime of whoever calls: it must outlive the threads that sessions run on.
    pub(super) fn start() -> Self {
        let (queue, mut owed) = mpsc::unbounded_channel::<Box<dyn Debt>>();
        let open = Arc::new(watch::channel(0).0);
        let counted = open.clone();
        tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(AT_ONCE_MAX));
            while let Some(debt) = owed.recv().await {
                let (room, counted) = (room.clone(), Counted(counted.clone()));
                tokio::spawn(async move {
                    let paid = pay(debt.as_ref(), &room, &TRIES).await;
                    debt.settled(paid);
                    drop(counted);
                });
            }
        });
        Self { queue, open }
    }

    /// Takes a debt over.
    pub(super) fn owe(&self, debt: Box<dyn Debt>) {
        self.open.send_modify(|n| *n += 1);
        let what = debt.what();
        if self.queue.send(debt).is_err() {
            self.open.send_modify(|n| *n = n.saturating_sub(1));
            tracing::error!(
                what,
                "could not be given back: the gateway has stopped; its next start does it"
            );
        }
    }

    /// Waits until nothing is owed; false when that takes too long.
    pub(super) async fn all_paid(&self, most: Duration) -> bool {
        let mut open = self.open.subscribe();
        let none_left = open.wait_for(|n| *n == 0);
        tokio::time::timeout(most, none_left).await.is_ok()
    }
}

/// One debt fewer, when dropped.
struct Counted(Arc<watch::Sender<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}

async fn pay(debt: &dyn Debt, room: &Semaphore, tries: &[Duration]) -> bool {
    let mut last = String::new();
    for wait in tries {
        tokio::time::sleep(*wait).await;
        // The room is held only while something is done: one that waits to be tried again keeps nobody out.
        let Ok(_room) = room.acquire().await else {
            break;
        };
        match tokio::time::timeout(TRY_MAX, debt.pay()).await {
            Ok(Ok(())) => return true,
            Ok(Err(why)) => last = why,
            Err(_) => last = "it took too long".to_owned(),
        }
        tracing::warn!(what = debt.what(), why = last, "not given back yet");
    }
    tracing::error!(
        what = debt.what(),
        why = last,
        "could not be given back; the next sweep tries again"
    );
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Stubborn {
        refusals: usize,
        tried: Arc<AtomicUsize>,
        settled: Arc<AtomicUsize>,
    }

    impl Debt for Stubborn {
        fn what(&self) -> String {
            "a thing".to_owned()
        }
        fn pay(&self) -> BoxFuture<'_, Result<(), String>> {
            let n = self.tried.fetch_add(1, Ordering::SeqCst);
            let done = if n < self.refusals {
                Err("not now".to_owned())
            } else {
                Ok(())
            };
            Box::pin(std::future::ready(done))
        }
        fn settled(&self, paid: bool) {
            self.settled
                .fetch_add(if paid { 1 } else { 100 }, Ordering::SeqCst);
        }
    }

    fn stubborn(refusals: usize) -> (Stubborn, Arc<AtomicUsize>, Arc<AtomicUsize>) {
        let (tried, settled) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let debt = Stubborn {
            refusals,
            tried: tried.clone(),
            settled: settled.clone(),
        };
        (debt, tried, settled)
    }

    #[tokio::test]
    async fn what_is_refused_is_tried_again_and_not_for_ever() {
        let (room, at_once) = (Semaphore::new(1), [Duration::ZERO; 5]);
        for (refusals, tries, paid) in [(0, 1, true), (3, 4, true), (usize::MAX, 5, false)] {
            let (debt, tried, _) = stubborn(refusals);
            assert_eq!(pay(&debt, &room, &at_once).await, paid);
            assert_eq!(tried.load(Ordering::SeqCst), tries);
        }
    }

    #[tokio::test]
    async fn what_is_owed_is_waited_for_and_settled_once() {
        let returns = Returns::start();
        let (debt, _, settled) = stubborn(1);
        returns.owe(Box::new(debt));
        assert!(!returns.all_paid(Duration::ZERO).await);
        assert!(returns.all_paid(Duration::from_secs(60)).await);
        assert_eq!(settled.load(Ordering::SeqCst), 1);
    }
}
