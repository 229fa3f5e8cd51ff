//! A command that waits for people, on its open channel.
//!
//! Lives here: the waiting, and what the client is told meanwhile. Never: the answer.

use super::channel::{Client, one_line};
use super::link::Link;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Answer, Asked, Parked};
use russh::{ChannelMsg, Sig};
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// What a terminal sends for Ctrl-C.
const INTERRUPT: u8 = 3;
/// What a message costs beside its bytes.
const MESSAGE_BYTES: usize = 64;

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
    let mut input_bytes = 0;
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
            message = client.fresh() => {
                let bytes = match &message {
                    None | Some(ChannelMsg::Close) => {
                        link.gate.abandon_request(&link.session, parked).await;
                        return Decided::Gone;
                    }
                    Some(ChannelMsg::Data { data }) if terminal && data.contains(&INTERRUPT) => None,
                    Some(ChannelMsg::Signal { signal: Sig::INT | Sig::TERM | Sig::HUP | Sig::KILL }) => None,
                    Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => Some(data.len()),
                    Some(_) => Some(0),
                };
                let Some(bytes) = bytes else {
                    link.gate.abandon_request(&link.session, parked).await;
                    return Decided::Go(Answer::Deny(stopped()));
                };
                input_bytes += bytes + MESSAGE_BYTES;
                if input_bytes > link.limits.held_input_bytes_max {
                    link.gate.abandon_request(&link.session, parked).await;
                    return Decided::Go(Answer::Deny(too_much()));
                }
                client.early.extend(message);
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

pub(super) fn too_much() -> Denial {
    Denial::new(
        Code::TooLarge,
        "brattice.approvals",
        "more input was sent than is kept for a command that waits for people",
    )
    .hint("wait for the approval before sending input, or ask for it ahead: `brattice approvals request`")
}
