//! Signing in on a machine without a browser (RFC 8628).
//!
//! Lives here: device and user codes, and what a device is told while it waits. Never: the person's way in their browser.

use super::browser::Proven;
use super::grant::Given;
use super::step::Step;
use super::{Logins, No, SIGN_IN_WAIT_MAX, client};
use crate::throttle::ThrottleLimits;
use brattice_core::sender::Sender;
use brattice_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a device waits between two questions.
pub const DEVICE_INTERVAL: Duration = Duration::from_secs(5);
/// Guesses of user codes that a source has: ten, then one a minute. There are 2.5e10 codes, each good for ten minutes.
pub(super) const GUESSES: ThrottleLimits = ThrottleLimits {
    failures_max: 10,
    forgiven_each: Duration::from_secs(60),
    sources_max: 10_000,
};
/// The letters of user codes: none that is taken for another, no word (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LETTERS: usize = 8;

/// What a device is given.
#[derive(Debug)]
pub struct DeviceCodes {
    /// For the device alone.
    pub device_code: String,
    /// For the person: eight letters, with a hyphen in their midst.
    pub user_code: String,
    /// How long both are good.
    pub expires_in: Duration,
}

/// What stands under a user code.
#[derive(Serialize, Deserialize)]
pub(super) enum Device {
    Waiting {
        client: String,
        from: String,
        /// Over SSH: what the connection asks for.
        #[serde(default)]
        login: Option<String>,
    },
    Answered(Option<Box<Proven>>),
}

impl Step for Device {
    const KIND: &'static str = "device";
}

/// What stands under a device code.
#[derive(Serialize, Deserialize)]
struct Polling {
    client: String,
    from: String,
    user_code: String,
    /// When the device asked last.
    asked_at: Option<Timestamp>,
}

impl Step for Polling {
    const KIND: &'static str = "polling";
    /// Longer than the user code's, so that a device is told that it has ended.
    const WAIT_MAX: Duration = Duration::from_secs(900);
}

impl Logins {
    /// Gives a device its codes.
    pub async fn begin_device(&self, client: &str, from: &str) -> Result<DeviceCodes, No> {
        client::known(client)?;
        self.some_providers()?;
        let device_code = self.fresh()?;
        let user_code = self.user_code()?;
        let waiting = Device::Waiting {
            client: client.to_owned(),
            from: from.to_owned(),
            login: None,
        };
        self.keep(&user_code, &waiting, from).await?;
        let polling = Polling {
            client: client.to_owned(),
            from: from.to_owned(),
            user_code: user_code.clone(),
            asked_at: None,
        };
        self.keep(&device_code, &polling, from).await?;
        Ok(DeviceCodes {
            device_code,
            user_code: shown(&user_code),
            expires_in: SIGN_IN_WAIT_MAX,
        })
    }

    /// What a device gets for its code now.
    pub async fn poll_device(
        &self,
        client: &str,
        device_code: &str,
        sender: &Sender,
    ) -> Result<Given, No> {
        let found = self.look::<Polling>(device_code).await?;
        let (mut polling, before) = found
            .filter(|(p, _)| p.client == client)
            .ok_or(No::Grant("no such device code, or no longer"))?;
        let now = self.now();
        let soon = |at: Timestamp| now.since(at) < DEVICE_INTERVAL;
        if polling.asked_at.is_some_and(soon) {
            return Err(No::SlowDown);
        }
        polling.asked_at = Some(now);
        if !self.change(device_code, before, &polling).await? {
            return Err(No::SlowDown);
        }
        match self.look::<Device>(&polling.user_code).await? {
            None => Err(No::Expired),
            Some((Device::Waiting { .. }, _)) => Err(No::Pending),
            Some((Device::Answered(_), _)) => {
                // Of two that poll at once one gets it.
                let Some(Device::Answered(answer)) =
                    self.take::<Device>(&polling.user_code).await?
                else {
                    return Err(No::Expired);
                };
                self.take::<Polling>(device_code).await?;
                match answer {
                    Some(proven) => {
                        self.begin_sign_in(client, &polling.from, *proven, sender)
                            .await
                    }
                    None => Err(No::Denied("the person said no".to_owned())),
                }
            }
        }
    }

    /// Puts a person's answer where the device finds it.
    pub(super) async fn settle_device(
        &self,
        user_code: &str,
        answer: Option<Proven>,
    ) -> Result<(), No> {
        let ended = || No::Grant("the device no longer waits");
        let Some((Device::Waiting { .. }, before)) = self.look::<Device>(user_code).await? else {
            return Err(ended());
        };
        let answered = Device::Answered(answer.map(Box::new));
        if self.change(user_code, before, &answered).await? {
            Ok(())
        } else {
            Err(ended())
        }
    }

    pub(super) fn user_code(&self) -> Result<String, No> {
        let mut code = String::with_capacity(USER_CODE_LETTERS);
        while code.len() < USER_CODE_LETTERS {
            let mut bytes = [0; USER_CODE_LETTERS * 2];
            self.parts.randomness.fill(&mut bytes)?;
            // 240 is a multiple of 20: every letter is as likely as every other.
            let letters = bytes.iter().filter(|b| **b < 240);
            let letters = letters.filter_map(|b| LETTERS.get(usize::from(*b) % LETTERS.len()));
            let missing = USER_CODE_LETTERS - code.len();
            code.extend(letters.take(missing).map(|l| char::from(*l)));
        }
        Ok(code)
    }
}

/// A user code as people typed it: case, blanks and hyphens aside. `None` when it is none.
pub(super) fn read_user_code(typed: &str) -> Option<String> {
    let letters: String = typed
        .chars()
        .take(40)
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let good = letters.len() == USER_CODE_LETTERS && letters.bytes().all(|b| LETTERS.contains(&b));
    good.then_some(letters)
}

/// A user code as people see it.
pub(super) fn shown(code: &str) -> String {
    match code.split_at_checked(USER_CODE_LETTERS / 2) {
        Some((first, second)) => format!("{first}-{second}"),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_read_however_it_is_typed() {
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "b-c-d-f-g-h-j-k"] {
            assert_eq!(
                read_user_code(typed).as_deref(),
                Some("BCDFGHJK"),
                "{typed}"
            );
        }
        for wrong in ["", "BCDF", "BCDF-GHJA", "BCDF-GHJKL", "ＢCDFGHJK"] {
            assert_eq!(read_user_code(wrong), None, "{wrong}");
        }
        assert_eq!(shown("BCDFGHJK"), "BCDF-GHJK");
    }
}
