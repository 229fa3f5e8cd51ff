//! A command that waits for people, on its open channel.
//!
//! Lives here: the waiting, and what the client is told meanwhile. Never: the answer.

use super::channel::{Client, one_line};
use super::intake::Noticed;
use super::link::Link;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Answer, Asked, Parked};
use russh::Sig;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// What waiting came to.
pub(super) enum Decided {
    /// It goes on with this.
    Go(Answer),
    /// The client is gone.
    Gone,
}

/// Waits until people have decided, the client leaves, or it has waited for long enough.
pub(super) async fn wait(
    link: &Arc<Link>,
    client: &mut Client,
    terminal: bool,
    parked: Parked<Asked>,
) -> Decided {
    let times = link.lock().holds();
    let mut decided = link.gate.decided(&parked);
    let still = one_line(&parked.notice());
    client.say(terminal, &notice(&parked)).await;
    let began = Instant::now();
    let until = began + times.hold_wait_max;
    let mut next = began + times.notice_every;
    loop {
        tokio::select! {
            answer = &mut decided => {
                return Decided::Go(link.gate.release_request(&link.session, parked, answer).await);
            }
            why = link.over() => {
                link.gate.abandon_request(&link.session, parked).await;
                return Decided::Go(Answer::Deny(why));
            }
            () = sleep_until(until) => {
                return Decided::Go(Answer::Deny(link.gate.ticket_request(&link.session, parked)));
            }
            () = sleep_until(next) => {
                client.say(terminal, &format!("brattice: still {still}\n")).await;
                next = Instant::now() + times.notice_every;
            }
            noticed = client.intake.notice(terminal) => match noticed {
                Noticed::Gone => {
                    link.gate.abandon_request(&link.session, parked).await;
                    return Decided::Gone;
                }
                Noticed::Interrupt
                | Noticed::Signal(Sig::INT | Sig::TERM | Sig::HUP | Sig::KILL) => {
                    link.gate.abandon_request(&link.session, parked).await;
                    return Decided::Go(Answer::Deny(stopped()));
                }
                // Nothing runs that it could be about.
                Noticed::Signal(_) => {}
            }
        }
    }
}

/// That something is held, for people and for machines.
pub(super) fn notice(parked: &Parked<Asked>) -> String {
    let (approval, url) = (parked.approval(), parked.url());
    format!(
        "brattice: {}\nbrattice: code=held approval={approval} url={url}\n",
        one_line(&parked.notice())
    )
}

/// Waits where the client cannot be told anything until there is an answer.
pub(super) async fn wait_unseen(link: &Arc<Link>, parked: Parked<Asked>) -> Answer {
    let times = link.lock().holds();
    let mut decided = link.gate.decided(&parked);
    let until = Instant::now() + times.hold_wait_max;
    tokio::select! {
        answer = &mut decided => {
            link.gate.release_request(&link.session, parked, answer).await
        }
        why = link.over() => {
            link.gate.abandon_request(&link.session, parked).await;
            Answer::Deny(why)
        }
        () = sleep_until(until) => Answer::Deny(link.gate.ticket_request(&link.session, parked)),
    }
}

fn stopped() -> Denial {
    Denial::new(
        Code::Cancelled,
        "brattice.approvals",
        "stopped before it was decided",
    )
}
