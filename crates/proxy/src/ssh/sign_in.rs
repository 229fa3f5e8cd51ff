//! A person with a stock client and no token, who signs in in a browser while the connection waits (RFC 4256; the browser's
//! part is that of RFC 8628).
//!
//! Lives here: what the client is shown and asked, and how many connections may wait so. Never: who somebody is, which the
//! authenticator says; pages.
//!
//! What waits is this connection: the outcome goes to it, for what it asked for when it began, and is nobody's when it ends.

use super::Service;
use super::prove::Login;
use brattice_core::denial::Denial;
use brattice_core::elsewhere::Origin;
use brattice_core::ports::{AuthError, BoxFuture};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use russh::server::Auth;
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What is asked for first, of programs and people.
const PROMPT: &str = "Access token, or credential as ID:SECRET: ";
/// What people are told beside it, where they can sign in.
const OR_BROWSER: &str = "To sign in in a browser, press Enter without typing anything.\n";
/// What a person is asked while they sign in.
const SIGNED_IN: &str = "Press Enter when you have signed in: ";
/// Codes that one connection is given.
const CODES_MAX: u32 = 3;
/// How often Enter may be pressed for one code before anybody has answered.
const EARLY_MAX: u32 = 20;
/// An answer that comes so soon is a program's, and not a person's who has read anything.
const AT_ONCE: Duration = Duration::from_millis(200);
/// So many of these in a row are no person's impatience.
const AT_ONCE_MAX: u32 = 4;
/// How long after Enter an answer is waited for: somebody may press it as the browser still loads.
const SOON: Duration = Duration::from_secs(5);
/// How often an answer is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a connection outlives its code: to be told that it has ended.
const FAREWELL: Duration = Duration::from_secs(30);

/// What a person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The page to go to.
    pub page: String,
    /// The same with the code in it.
    pub page_with_code: String,
    /// The code.
    pub code: String,
    /// How long it is good.
    pub lives: Duration,
}

/// Why nobody signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSignedIn {
    /// For the person.
    pub says: &'static str,
    /// For the record.
    pub why: String,
    /// Whether it is for want of something that may be there again.
    pub is_away: bool,
}

/// People who sign in in a browser while their connection waits.
pub trait SignIns: Send + Sync {
    /// Whether anybody can.
    fn is_open(&self) -> bool;
    /// Begins for what a connection asks for, as its user name has it.
    fn begin<'a>(
        &'a self,
        login: &'a str,
        from: IpAddr,
    ) -> BoxFuture<'a, Result<Invitation, NotSignedIn>>;
    /// Who answered a code; `None` while nobody has. A person alone, whose sign-in is on record by then. Good once.
    fn hear<'a>(
        &'a self,
        code: &'a str,
        login: &'a str,
        from: IpAddr,
    ) -> BoxFuture<'a, Result<Option<Identity>, NotSignedIn>>;
    /// Nobody waits for an answer to this code any more.
    fn withdraw(&self, code: String);
}

/// Room for connections that wait for their person: they are open for longer than others that have not proven anything.
#[derive(Debug)]
pub struct Lobby {
    all_max: usize,
    each_max: usize,
    by_origin: Mutex<HashMap<Origin, usize>>,
}

/// A place in it, given back when dropped.
#[derive(Debug)]
pub(super) struct Waits {
    lobby: Arc<Lobby>,
    of: Origin,
}

impl Lobby {
    /// With so much room, and so much for each origin.
    pub fn new(all_max: usize, each_max: usize) -> Self {
        Self {
            all_max,
            each_max,
            by_origin: Mutex::default(),
        }
    }

    fn seat(self: &Arc<Self>, from: IpAddr) -> Option<Waits> {
        let of = Origin::of(from);
        let mut taken = self.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&of).copied().unwrap_or_default();
        if all >= self.all_max || own >= self.each_max {
            return None;
        }
        taken.insert(of, own.saturating_add(1));
        Some(Waits {
            lobby: self.clone(),
            of,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        self.by_origin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let mut taken = self.lobby.taken();
        if let Some(own) = taken.get_mut(&self.of) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

/// Where a connection stands with its person.
#[derive(Default)]
pub(super) struct Talk {
    step: Step,
    codes: u32,
    /// Kept from the first code until somebody is in, or the connection ends.
    seat: Option<Waits>,
    /// What else is told with the first question.
    says: &'static str,
}

#[derive(Default)]
enum Step {
    /// Asked for a token or a credential, or not asked yet.
    #[default]
    Asked,
    /// Waits for somebody to answer a code.
    Waiting(Waiting),
    /// Was told why nobody signed in.
    Told,
}

/// A code that somebody may answer. When it is dropped nobody can any more.
struct Waiting {
    sign_ins: Arc<dyn SignIns>,
    code: String,
    user: String,
    ends: Instant,
    early: u32,
    asked_at: Instant,
    /// How often in a row Enter came as soon as it was asked for.
    at_once: u32,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.sign_ins.withdraw(std::mem::take(&mut self.code));
    }
}

/// What becomes of what a client answered.
pub(super) enum Turn {
    /// It is asked further.
    Ask(Auth),
    /// It gave this, to be proven.
    Given(Secret),
    /// Somebody signed in, for this.
    Signed(Box<Identity>, Login),
    /// Nothing came of it.
    Refused,
}

impl Talk {
    /// Has this told with the first question.
    pub fn say(&mut self, says: &'static str) {
        self.says = says;
    }

    /// Begins anew: whatever was asked before is over.
    pub fn open(&mut self, service: &Service) -> Auth {
        self.step = Step::Asked;
        let instructions = match service.sign_ins.is_open() {
            true => OR_BROWSER,
            false => "",
        };
        let instructions = format!("{}{instructions}", self.says);
        ask(instructions, &[(Cow::Borrowed(PROMPT), false)])
    }

    /// Takes what was answered. `until` is told when the connection may go on for longer.
    pub async fn answered(
        &mut self,
        service: &Service,
        user: &str,
        given: Option<Secret>,
        from: SocketAddr,
        until: impl Fn(Instant),
    ) -> Turn {
        match std::mem::take(&mut self.step) {
            Step::Told => Turn::Refused,
            Step::Waiting(waiting) if waiting.user == user => {
                self.heard(service, waiting, from).await
            }
            Step::Waiting(_) => Turn::Refused,
            Step::Asked => match given {
                Some(given) if given.expose().is_empty() && service.sign_ins.is_open() => {
                    self.begin(service, user, from, until).await
                }
                Some(given) => Turn::Given(given),
                None => Turn::Refused,
            },
        }
    }

    async fn begin(
        &mut self,
        service: &Service,
        user: &str,
        from: SocketAddr,
        until: impl Fn(Instant),
    ) -> Turn {
        let full = |says| NotSignedIn {
            says,
            why: "too many connections wait for people to sign in".to_owned(),
            is_away: true,
        };
        if self.seat.is_none() {
            self.seat = service.lobby.seat(from.ip());
        }
        if self.seat.is_none() {
            let no = full(
                "Too many people are signing in now; try again in a few minutes, or use `brattice ssh`.",
            );
            return self.tell(service, no, user, from);
        }
        if self.codes >= CODES_MAX {
            let no = full("This connection was given enough codes; connect again.");
            return self.tell(service, no, user, from);
        }
        self.codes = self.codes.saturating_add(1);
        match service.sign_ins.begin(user, from.ip()).await {
            Ok(invited) => {
                let ends = Instant::now() + invited.lives;
                until(ends + FAREWELL);
                let shown = format!(
                    "In a browser on any machine, go to\n\n  {}\n\nand type the code  {}\n\nor go to {}\n\n",
                    invited.page, invited.code, invited.page_with_code
                );
                self.step = Step::Waiting(Waiting {
                    sign_ins: service.sign_ins.clone(),
                    code: invited.code,
                    user: user.to_owned(),
                    ends,
                    early: 0,
                    asked_at: Instant::now(),
                    at_once: 0,
                });
                Turn::Ask(ask(shown, &[(Cow::Borrowed(SIGNED_IN), false)]))
            }
            Err(no) => self.tell(service, no, user, from),
        }
    }

    /// Enter was pressed: whether somebody has answered by now.
    async fn heard(&mut self, service: &Service, mut waiting: Waiting, from: SocketAddr) -> Turn {
        let user = waiting.user.clone();
        waiting.at_once = match waiting.asked_at.elapsed() < AT_ONCE {
            true => waiting.at_once.saturating_add(1),
            false => 0,
        };
        let soon = match waiting.at_once {
            0 => SOON,
            _ => LOOK_EVERY,
        };
        let soon = Instant::now() + soon;
        loop {
            let heard = service.sign_ins.hear(&waiting.code, &user, from.ip()).await;
            match heard {
                Ok(Some(identity)) => {
                    self.seat = None;
                    return Turn::Signed(Box::new(identity), Login::read(&user));
                }
                Ok(None) => {}
                Err(no) => return self.tell(service, no, &user, from),
            }
            if Instant::now() >= soon.min(waiting.ends) {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        waiting.early = waiting.early.saturating_add(1);
        if waiting.early >= EARLY_MAX {
            let no = NotSignedIn {
                says: "Nobody signed in.",
                why: "nobody answered, however often it was asked".to_owned(),
                is_away: false,
            };
            return self.tell(service, no, &user, from);
        }
        if waiting.at_once >= AT_ONCE_MAX {
            // Nor would anybody read another code.
            self.codes = CODES_MAX;
            let no = NotSignedIn {
                says: "Nobody seems to be here to sign in. Programs give a token or a credential, and BatchMode=yes to be asked for none.",
                why: "Enter came at once each time it was asked for: from no person".to_owned(),
                is_away: false,
            };
            return self.tell(service, no, &user, from);
        }
        waiting.asked_at = Instant::now();
        let again = format!("Nobody has said yes to {} yet.\n", waiting.code);
        self.step = Step::Waiting(waiting);
        Turn::Ask(ask(again, &[(Cow::Borrowed(SIGNED_IN), false)]))
    }

    /// Puts on record that nobody signed in, and tells the person why: a client shows nothing of a refusal itself.
    fn tell(&mut self, service: &Service, no: NotSignedIn, user: &str, from: SocketAddr) -> Turn {
        let error = match no.is_away {
            true => AuthError::Unavailable(no.why),
            false => AuthError::Rejected(no.why),
        };
        let _: Denial = service.refuse(&error, &Login::read(user), from);
        self.step = Step::Told;
        Turn::Ask(ask(format!("{}\n", no.says), &[]))
    }
}

fn ask(instructions: impl Into<Cow<'static, str>>, prompts: &[(Cow<'static, str>, bool)]) -> Auth {
    Auth::Partial {
        name: Cow::Borrowed(""),
        instructions: instructions.into(),
        prompts: Cow::Owned(prompts.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_for_each_origin_and_in_all_and_given_back() {
        let lobby = Arc::new(Lobby::new(3, 2));
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let one = lobby.seat(ip("192.0.2.1"));
        let two = lobby.seat(ip("::ffff:192.0.2.1"));
        assert!(one.is_some() && two.is_some());
        assert!(lobby.seat(ip("192.0.2.1")).is_none());
        // Of an IPv6 network a caller picks addresses freely.
        let three = lobby.seat(ip("2001:db8::1"));
        assert!(three.is_some());
        assert!(lobby.seat(ip("192.0.2.9")).is_none());
        drop(two);
        assert!(lobby.seat(ip("2001:db8::2")).is_some());
        drop((one, three));
        assert!(lobby.taken().is_empty());
    }
}
