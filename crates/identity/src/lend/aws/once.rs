//! Something that is read from elsewhere and kept for a while, read once however many ask for it together.
//!
//! Lives here: who reads and who waits, and forgetting. Never: what is read, how old it may be.

use super::AwsError;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// What is kept, if anything.
pub(super) struct Once<T> {
    /// How long it is kept, whether or not anybody asks for it; `None`: until it is replaced.
    most: Option<Duration>,
    kept: Mutex<Option<Kept<T>>>,
    /// Whoever reads has this; the last failure is there for those who waited for it.
    reading: tokio::sync::Mutex<Option<(Instant, AwsError)>>,
}

/// A value, and since when.
pub(super) struct Kept<T> {
    pub value: Arc<T>,
    /// When it was asked for: it is not older than this.
    pub since: Instant,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            since: self.since,
        }
    }
}

impl<T: Send + Sync + 'static> Once<T> {
    /// Nothing yet.
    pub(super) fn new(most: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            most,
            kept: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        })
    }

    /// What is kept if it is good still, or what `read` brings. Whoever came while another was reading gets what that
    /// brought, a failure as well: nobody waits for two.
    pub(super) async fn get(
        self: &Arc<Self>,
        good: impl Fn(&Kept<T>) -> bool,
        read: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<Kept<T>, AwsError> {
        let asked = Instant::now();
        let usable = |kept: &Kept<T>| kept.since >= asked || good(kept);
        if let Some(kept) = self.kept().clone().filter(usable) {
            return Ok(kept);
        }
        let mut failed = self.reading.lock().await;
        if let Some(kept) = self.kept().clone().filter(usable) {
            return Ok(kept);
        }
        if let Some((_, why)) = failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(why.clone());
        }
        let since = Instant::now();
        match read.await {
            Ok(value) => {
                let kept = Kept {
                    value: Arc::new(value),
                    since,
                };
                *failed = None;
                *self.kept() = Some(kept.clone());
                self.forget_in_time(&kept);
                Ok(kept)
            }
            Err(why) => {
                *failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// What is kept, good or not.
    pub(super) fn now(&self) -> Option<Kept<T>> {
        self.kept().clone()
    }

    /// Forgets this value. Another that was read since stays.
    pub(super) fn forget(&self, value: &Weak<T>) {
        let mut kept = self.kept();
        let is_it = |k: &Kept<T>| std::ptr::eq(Arc::as_ptr(&k.value), value.as_ptr());
        if kept.as_ref().is_some_and(is_it) {
            *kept = None;
        }
    }

    fn forget_in_time(self: &Arc<Self>, kept: &Kept<T>) {
        let Some(most) = self.most else {
            return;
        };
        let (once, value) = (Arc::downgrade(self), Arc::downgrade(&kept.value));
        let at = kept.since + most;
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            if let Some(once) = once.upgrade() {
                once.forget(&value);
            }
        });
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept<T>>> {
        match self.kept.lock() {
            Ok(kept) => kept,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_gets_what_the_one_who_reads_brings() {
        for fails in [false, true] {
            let (once, reads) = (Once::<usize>::new(None), AtomicUsize::new(0));
            let ask = async || {
                once.get(|_| false, async {
                    let n = reads.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    if fails {
                        Err(AwsError::Unexpected("no"))
                    } else {
                        Ok(n)
                    }
                })
                .await
            };
            let begun = Instant::now();
            let (a, b, c) = tokio::join!(ask(), ask(), ask());
            assert_eq!(begun.elapsed(), Duration::from_secs(5));
            assert_eq!(reads.load(Ordering::SeqCst), 1);
            assert!([&a, &b, &c].iter().all(|r| r.is_err() == fails));
            // Who comes later reads again.
            tokio::time::advance(Duration::from_millis(1)).await;
            let _ = ask().await;
            assert_eq!(reads.load(Ordering::SeqCst), 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_forgotten_in_time_and_only_that_value() {
        let once = Once::<u8>::new(Some(Duration::from_secs(60)));
        let old = once.get(|_| false, async { Ok(1) }).await.unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
        once.get(|_| false, async { Ok(2) }).await.unwrap();
        tokio::time::sleep(Duration::from_secs(31)).await;
        once.forget(&Arc::downgrade(&old.value));
        assert_eq!(once.now().map(|k| *k.value), Some(2));
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(once.now().is_none());
    }
}
