//! Sign-ins that this person has on this machine.
//!
//! Lives here: the file of each gateway, readable by its owner alone, and renewing what is in it. Never: signing in.

use super::client::Link;
use super::exit::{Exit, Failure};
use super::key::{Key, bound_to};
use brattice_admin::oauth::TOKEN_PATH;
use brattice_core::ids::Digest;
use brattice_core::secret::Secret;
use brattice_identity::login::CLI;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use url::Url;

/// The directory, where it is not the usual one.
const DIRECTORY: &str = "BRATTICE_HOME";
/// An access token that ends within so many seconds is renewed before it is used.
const LEFT_MIN: u64 = 30;

/// The directory with sign-ins.
pub struct Saved(Option<PathBuf>);

/// A sign-in at one gateway.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// The gateway's address.
    pub url: String,
    /// The authority of its certificate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ca: Option<PathBuf>,
    /// Who signed in.
    pub who: String,
    /// The access token.
    pub access_token: String,
    /// When it ends, in seconds since 1970.
    pub expires_at: u64,
    /// The refresh token, good once.
    pub refresh_token: String,
    /// The key that both are bound to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// When this was written, in seconds since 1970.
    pub saved_at: u64,
}

impl SignIn {
    /// The key that its tokens are bound to.
    fn key(&self) -> Result<Option<Key>, Failure> {
        self.key.as_deref().map(Key::kept).transpose()
    }

    fn proof(&self) -> Result<(Secret, Option<Key>), Failure> {
        Ok((Secret::new(self.access_token.as_str()), self.key()?))
    }
}

/// The token endpoint's answer.
#[derive(Deserialize)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// How long it lives, in seconds.
    pub expires_in: u64,
    /// The refresh token.
    pub refresh_token: String,
}

impl Saved {
    /// The directory of whoever runs this: `$BRATTICE_HOME`, else `brattice` among their configuration.
    pub fn open() -> Result<Self, Failure> {
        let var = |name| std::env::var_os(name).filter(|v| !v.is_empty());
        let own = var(DIRECTORY).map(PathBuf::from);
        let usual = || {
            let config = var("XDG_CONFIG_HOME").map(PathBuf::from);
            let config = config.or_else(|| Some(PathBuf::from(var("HOME")?).join(".config")));
            Some(config?.join("brattice"))
        };
        Ok(Self(own.or_else(usual)))
    }

    /// The sign-in at this gateway.
    pub fn of(&self, url: &Url) -> Result<Option<SignIn>, Failure> {
        match self.path(url) {
            Some(path) => read(&path),
            None => Ok(None),
        }
    }

    /// Every sign-in, the newest first.
    pub fn all(&self) -> Result<Vec<SignIn>, Failure> {
        let Some(directory) = &self.0 else {
            return Ok(Vec::new());
        };
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(unusable(directory, &why)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry.map_err(|why| unusable(directory, &why))?.path();
            if path.extension().is_some_and(|e| e == "json") {
                all.extend(read(&path)?);
            }
        }
        all.sort_by(|a, b| (b.saved_at, &a.url).cmp(&(a.saved_at, &b.url)));
        Ok(all)
    }

    /// The sign-in that was used last.
    pub fn last(&self) -> Result<Option<SignIn>, Failure> {
        Ok(self.all()?.into_iter().next())
    }

    /// Keeps the tokens of a sign-in.
    pub fn keep(
        &self,
        link: &Link,
        ca: Option<&Path>,
        who: &str,
        tokens: Tokens,
        key: &Key,
    ) -> Result<SignIn, Failure> {
        let _turn = self.lock(link.base())?;
        let sign_in = SignIn {
            url: link.base().to_string(),
            ca: ca.map(|p| std::path::absolute(p).unwrap_or_else(|_| p.to_owned())),
            who: who.to_owned(),
            expires_at: now().saturating_add(tokens.expires_in),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            key: Some(key.to_keep()?),
            saved_at: now(),
        };
        self.write(link.base(), &sign_in)?;
        Ok(sign_in)
    }

    /// The key that a token is bound to, where one of the sign-ins has it.
    pub fn key_of(&self, token: &Secret) -> Result<Option<Key>, Failure> {
        let Some(wanted) = token.expose_str().and_then(bound_to) else {
            return Ok(None);
        };
        for sign_in in self.all()? {
            match sign_in.key()? {
                Some(key) if key.thumbprint() == wanted => return Ok(Some(key)),
                _ => {}
            }
        }
        Err(
            Failure::usage("the token is bound to a key that is not on this machine")
                .hint("use a token of your own, or sign in with `brattice login`"),
        )
    }

    /// An access token that is good now, renewed if it has to be, and the key that it is bound to.
    pub fn token(&self, link: &Link) -> Result<(Secret, Option<Key>), Failure> {
        let url = link.base();
        let nobody = || {
            Failure::new(Exit::NotPermitted, "there is no token, and nobody signed in here").hint(
                "sign in with `brattice login`; or set BRATTICE_TOKEN, or give --token-file PATH, or pipe it in with --token-file -",
            )
        };
        let fresh = |s: &SignIn| s.expires_at > now().saturating_add(LEFT_MIN);
        match self.of(url)? {
            None => return Err(nobody()),
            Some(sign_in) if fresh(&sign_in) => return sign_in.proof(),
            Some(_) => {}
        }
        // A refresh token is good once: of two programs one renews, and the other uses what that one got.
        let _turn = self.lock(url)?;
        let mut sign_in = self.of(url)?.ok_or_else(nobody)?;
        if fresh(&sign_in) {
            return sign_in.proof();
        }
        let key = sign_in.key()?;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", CLI),
            ("refresh_token", sign_in.refresh_token.as_str()),
        ];
        let tokens: Tokens = link
            .form(TOKEN_PATH, &form, key.as_ref())
            .map_err(|failure| match failure.oauth.as_deref() {
                Some("invalid_grant") => Failure::new(
                    Exit::NotPermitted,
                    format!("your sign-in at {url} has ended"),
                )
                .hint("sign in again with `brattice login`"),
                _ => failure,
            })?;
        sign_in.expires_at = now().saturating_add(tokens.expires_in);
        sign_in.access_token = tokens.access_token;
        sign_in.refresh_token = tokens.refresh_token;
        sign_in.saved_at = now();
        self.write(url, &sign_in)?;
        Ok((Secret::new(sign_in.access_token), key))
    }

    /// Forgets a sign-in.
    pub fn forget(&self, url: &Url) -> Result<(), Failure> {
        let Some(path) = self.path(url) else {
            return Ok(());
        };
        match fs::remove_file(&path) {
            Err(why) if why.kind() != ErrorKind::NotFound => Err(unusable(&path, &why)),
            _ => Ok(()),
        }
    }

    /// The file of a gateway, whatever its address is made of.
    fn path(&self, url: &Url) -> Option<PathBuf> {
        let digest = Digest::of(url.as_str().as_bytes()).to_string();
        let name = digest.get(..32).unwrap_or(&digest);
        Some(self.0.as_ref()?.join(format!("{name}.json")))
    }

    /// Where keys for SSH are kept as long as their certificates hold.
    pub fn ssh(&self) -> Result<PathBuf, Failure> {
        super::ssh::private_dir(&self.directory()?.join("ssh"))
    }

    fn directory(&self) -> Result<&Path, Failure> {
        let directory = self.0.as_deref().ok_or_else(|| {
            Failure::usage("there is no place to keep sign-ins")
                .hint(format!("set {DIRECTORY} to a directory of yours"))
        })?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|why| unusable(directory, &why))?;
        Ok(directory)
    }

    /// Held while a gateway's file is changed; dropped, the next has its turn.
    fn lock(&self, url: &Url) -> Result<File, Failure> {
        self.directory()?;
        let path = self.path(url).unwrap_or_default().with_extension("lock");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|why| unusable(&path, &why))?;
        file.lock().map_err(|why| unusable(&path, &why))?;
        Ok(file)
    }

    /// Written beside and moved into place: a file is whole, or it is the one before.
    fn write(&self, url: &Url, sign_in: &SignIn) -> Result<(), Failure> {
        self.directory()?;
        let path = self.path(url).unwrap_or_default();
        let beside = path.with_extension("new");
        let text = serde_json::to_vec_pretty(sign_in)
            .map_err(|why| Failure::failed(format!("the sign-in cannot be written: {why}")))?;
        // One that was left behind may have another mode.
        let _ = fs::remove_file(&beside);
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| {
                file.write_all(&text)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|why| unusable(&path, &why))
    }
}

fn read(path: &Path) -> Result<Option<SignIn>, Failure> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| {
            Failure::failed(format!("{} is not a sign-in", path.display()))
                .hint("remove the file, and sign in again")
        }),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(unusable(path, &why)),
    }
}

fn unusable(path: &Path, why: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be used: {why}", path.display()))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |s| s.as_secs())
}
