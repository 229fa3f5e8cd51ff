//! The names of roles that live for one session, and the marker that says whose they are.
//!
//! Lives here: making and reading them. Never: a statement.

use brattice_core::ids::SessionId;

/// What every such name begins with.
pub(super) const PREFIX: &str = "agent~";
/// What every marker begins with.
pub(super) const MARK: &str = "brattice lease ";
/// The longest name that PostgreSQL keeps.
const NAME_BYTES_MAX: usize = 63;

/// `agent~AGENT~SESSION~NODE`: unique by the session, cut to fit in the agent's part alone.
pub(super) fn role_of(agent: &str, session: &SessionId, node: &str) -> String {
    let tail = format!("~{session}~{node}");
    let room = NAME_BYTES_MAX.saturating_sub(PREFIX.len() + tail.len());
    let mut name = PREFIX.to_owned();
    for c in agent.chars() {
        let c = if shows(c) { c } else { '_' };
        if name.len() + c.len_utf8() > PREFIX.len() + room {
            break;
        }
        name.push(c);
    }
    name + &tail
}

/// Letters of any script and a few signs: nothing that hides, turns the direction of text, or ends a quotation.
fn shows(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':' | '/' | '+')
}

/// What the role's comment says. Only who made the role may comment on it: its own session cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker<'a> {
    pub node: &'a str,
    pub session: &'a str,
    pub target: &'a str,
    pub template: &'a str,
}

impl<'a> Marker<'a> {
    pub(super) fn written(&self) -> String {
        let Marker {
            node,
            session,
            target,
            template,
        } = self;
        // The template comes last: it alone may hold a space.
        format!("{MARK}node={node} session={session} target={target} template={template}")
    }

    pub(super) fn read(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(MARK)?.strip_prefix("node=")?;
        let (node, rest) = rest.split_once(" session=")?;
        let (session, rest) = rest.split_once(" target=")?;
        let (target, template) = rest.split_once(" template=")?;
        Some(Self {
            node,
            session,
            target,
            template,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(agent: &str) -> String {
        let name = role_of(agent, &SessionId::from_bytes([7; 10]), "0a1b2c3d");
        assert!(name.len() <= NAME_BYTES_MAX, "{name}");
        assert!(name.starts_with(PREFIX) && name.ends_with("~0a1b2c3d"));
        assert!(name.contains(SessionId::from_bytes([7; 10]).as_str()));
        name
    }

    #[test]
    fn a_name_fits_whatever_the_agent_is_called() {
        assert!(name("report-bot").starts_with("agent~report-bot~ses_"));
        name("");
        name(&"x".repeat(500));
        name(&"ж".repeat(500));
        name(&"𝒜".repeat(500));
    }

    #[test]
    fn nothing_that_hides_or_quotes_gets_into_a_name() {
        for bad in [
            "\"", "'", "\\", "\0", "\n", "~", " ", "\u{202e}", "\u{200b}", ";", "$",
        ] {
            let made = name(&format!("a{bad}b"));
            assert!(made.starts_with("agent~a_b~"), "{made:?}");
        }
    }

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let marker = Marker {
            node: "0a1b2c3d",
            session: "ses_x",
            target: "orders-db",
            template: "app agent template=x",
        };
        assert_eq!(Marker::read(&marker.written()), Some(marker));
        assert_eq!(Marker::read("brattice lease"), None);
        assert_eq!(Marker::read("somebody's own comment"), None);
    }
}
