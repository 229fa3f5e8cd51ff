//! Signing in for one connection over SSH, by a person whose client can show a text and wait.
//!
//! Lives here: the code that is shown, and what the connection hears. Never: SSH, the person's way in their browser.
//!
//! There is no device code: the connection itself is what waits, and nobody else can ask what became of it.

use super::device::Device;
use super::grant::Given;
use super::{Logins, No, SIGN_IN_WAIT_MAX, client, device};
use brattice_core::principal::PrincipalKind;
use brattice_core::sender::Sender;
use std::time::Duration;

/// The longest that a connection may ask for; longer is the name of nothing.
pub const LOGIN_CHARS_MAX: usize = 130;

/// What a connection shows its person.
#[derive(Debug)]
pub struct SshCode {
    /// Eight letters, with a hyphen in their midst.
    pub user_code: String,
    /// How long it is good.
    pub expires_in: Duration,
}

/// Whether this can be what a connection asks for, `ACCOUNT@TARGET` or `TARGET`. It is shown to the person who is asked,
/// beside the gateway's own words: whoever wants to say something else to them does not get to.
pub fn is_login(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@$".contains(c);
    (1..=LOGIN_CHARS_MAX).contains(&text.len()) && text.chars().all(plain)
}

impl Logins {
    /// The providers by which people sign in over SSH: where tokens count only with a key, a connection has none to show.
    pub(super) fn providers_over_ssh(&self) -> Result<Vec<String>, No> {
        let mut names = self.some_providers()?;
        names.retain(|name| !self.parts.oidc.binds(name));
        if names.is_empty() {
            return Err(BOUND);
        }
        Ok(names)
    }

    /// Gives a connection a code, for what it asks for.
    pub async fn begin_over_ssh(&self, login: &str, from: &str) -> Result<SshCode, No> {
        self.providers_over_ssh()?;
        if !is_login(login) {
            return Err(No::Request("this user name names no target"));
        }
        let user_code = self.user_code()?;
        let waiting = Device::Waiting {
            client: client::SSH.to_owned(),
            from: from.to_owned(),
            login: Some(login.to_owned()),
        };
        self.keep(&user_code, &waiting, from).await?;
        Ok(SshCode {
            user_code: device::shown(&user_code),
            expires_in: SIGN_IN_WAIT_MAX,
        })
    }

    /// What became of a code. The tokens are for this connection: nobody else ever sees them.
    pub async fn hear_over_ssh(&self, user_code: &str, from: &str) -> Result<Given, No> {
        let code = device::read_user_code(user_code).ok_or(No::Expired)?;
        match self.look::<Device>(&code).await? {
            None => return Err(No::Expired),
            Some((Device::Waiting { .. }, _)) => return Err(No::Pending),
            Some((Device::Answered(_), _)) => {}
        }
        // Good once, whatever comes of it.
        let Some(Device::Answered(answer)) = self.take::<Device>(&code).await? else {
            return Err(No::Expired);
        };
        let proven = answer.ok_or_else(|| No::Denied("the person said no".to_owned()))?;
        if proven.who.kind != PrincipalKind::User {
            return Err(No::Denied("it is people who sign in".to_owned()));
        }
        if self.parts.oidc.binds(&proven.who.issuer) {
            return Err(BOUND);
        }
        self.begin_sign_in(client::SSH, from, *proven, &Sender::default())
            .await
    }

    /// Nobody waits for an answer to this code any more: what is said to it from now on goes nowhere.
    pub async fn withdraw_over_ssh(&self, user_code: &str) -> Result<(), No> {
        if let Some(code) = device::read_user_code(user_code) {
            self.take::<Device>(&code).await?;
        }
        Ok(())
    }
}

const BOUND: No = No::Request(
    "people sign in with bound tokens alone here, which a connection over SSH cannot show: use `brattice ssh`",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_is_shown_is_a_name_and_no_sentence() {
        for name in ["web-1", "deploy@web-1", "sam@example.com@web-1", "HOST$@x"] {
            assert!(is_login(name), "{name}");
        }
        let long = "a".repeat(LOGIN_CHARS_MAX + 1);
        for other in [
            "",
            "say yes@web-1",
            "a\nb",
            "<b>",
            "deploy@web-1\u{202e}",
            "\u{1b}[2J",
            &long,
        ] {
            assert!(!is_login(other), "{other}");
        }
    }
}
