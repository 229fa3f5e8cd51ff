//! Where a connection through a host leads, and that it is to no other target past its gate.
//!
//! Lives here: looking names up, and comparing. Never: whether rules permit it, which is asked first.

use super::link::Link;
use brattice_core::denial::{Code, Denial};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// How long a look-up may take.
const LOOKUP_MAX: Duration = Duration::from_secs(5);
/// How long a socket's path may be, as Unix has it.
const SOCKET_BYTES_MAX: usize = 107;
/// What PostgreSQL calls its sockets, up to the port.
const SERVER_SOCKET: &str = "/.s.PGSQL.";

/// Where a connection is to lead.
pub(super) enum There {
    /// To one of these, at this port.
    Addresses(Vec<IpAddr>, u16),
    /// To a socket of the host.
    Socket(String),
}

/// Where a target is, for those that must not be reached past it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// The target's name.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Tells where all targets are now.
pub type AllTargets = Arc<dyn Fn() -> Vec<Whereabouts> + Send + Sync>;

fn denied(reason: String) -> Denial {
    Denial::new(Code::Forbidden, "brattice.forward", reason)
}

/// Where a target is cannot be told.
fn untold(name: &str) -> Denial {
    let reason = format!("whether this leads to target \"{name}\" cannot be told now");
    Denial::new(Code::Unavailable, "brattice.forward", reason)
        .hint("try again later; the target's name is not found")
}

/// Where it leads, if none of them leads to a target past its gate.
pub(super) async fn vetted(link: &Link, host: &str, port: u16) -> Result<There, Denial> {
    let past = |other: String| {
        denied(format!("this leads to target \"{other}\", past its gate"))
            .hint("open that target itself through the gateway")
    };
    if port == 0 {
        return match beside(link, host).await? {
            None => Ok(There::Socket(host.to_owned())),
            Some(other) => Err(past(other)),
        };
    }
    // What only the host can resolve may lead to any target.
    let Some(there) = addresses(host).await else {
        let reason = "the name leads to no address that the gateway knows";
        return Err(denied(reason.to_owned()));
    };
    match leads_to(link, &there, port).await? {
        None => Ok(There::Addresses(there, port)),
        Some(other) => Err(past(other)),
    }
}

/// Refuses to have the host listen at a port that a target is reached at there: while that target is away, whoever listened
/// would be taken for it. Which of its addresses are listened on does not matter, since the host may be set to take them all.
pub(super) async fn vetted_listening(link: &Link, port: u16) -> Result<(), Denial> {
    let all = link.targets();
    let own = all.iter().find(|t| t.name == link.target());
    let own = own.ok_or_else(|| untold(link.target()))?;
    let there = addresses(&own.host).await;
    let there = there.ok_or_else(|| untold(link.target()))?;
    match leads_to(link, &there, port).await? {
        None => Ok(()),
        Some(other) => Err(denied(format!(
            "target \"{other}\" is reached at this port of the host, and who listens there would be taken for it"
        ))
        .hint("listen at another port, or at port 0 for one that is free")),
    }
}

/// The target that a socket leads to: a database server listens at one that has its port in its name.
async fn beside(link: &Link, path: &str) -> Result<Option<String>, Denial> {
    let port = path
        .rsplit_once(SERVER_SOCKET)
        .map(|(_, port)| port.parse());
    let Some(Ok(port)) = port else {
        return Ok(None);
    };
    leads_to(link, &[Ipv4Addr::LOCALHOST.into()], port).await
}

/// Whether a socket's path is one that says where it is, and in one way.
pub(super) fn is_plain(path: &str) -> bool {
    let whole = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() <= SOCKET_BYTES_MAX
        && !path.chars().any(char::is_control)
        && path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(whole))
}

/// The target that these lead to past its own gate: by a common address, or, from the host itself, by one of its own where
/// the target is on the same host. Where a target is cannot always be told: then nothing leads anywhere that could be it.
async fn leads_to(link: &Link, there: &[IpAddr], port: u16) -> Result<Option<String>, Denial> {
    let all = link.targets();
    let same_port: Vec<&Whereabouts> = all.iter().filter(|t| t.port == port).collect();
    if same_port.is_empty() {
        return Ok(None);
    }
    let host = match all.iter().find(|t| t.name == link.target()) {
        Some(own) => addresses(&own.host)
            .await
            .ok_or_else(|| untold(&own.name))?,
        None => Vec::new(),
    };
    let own = there.iter().any(|a| is_own(*a) || host.contains(a));
    for target in same_port {
        let known = addresses(&target.host).await;
        let known = known.ok_or_else(|| untold(&target.name))?;
        let beside = || known.iter().any(|a| is_own(*a) || host.contains(a));
        if known.iter().any(|a| there.contains(a)) || (own && beside()) {
            return Ok(Some(target.name.clone()));
        }
    }
    Ok(None)
}

/// Whether it leads back to where it is used: a loopback address, the unspecified one, to which connecting is connecting to
/// oneself, or one of this machine, which leads to what listens on its loopback as well.
fn is_own(address: IpAddr) -> bool {
    let is_here = || std::net::UdpSocket::bind((address, 0)).is_ok();
    address.is_loopback() || address.is_unspecified() || is_here()
}

/// The addresses of a name; none where it has none, or they are not found in time.
async fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    let mut all = Vec::new();
    // The port is of no consequence to where a name leads.
    let found = tokio::time::timeout(LOOKUP_MAX, tokio::net::lookup_host((host, 1))).await;
    for address in found.ok()?.ok()?.map(|a| a.ip().to_canonical()) {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    (!all.is_empty()).then_some(all)
}
