//! What a request does, as acts that rules judge.
//!
//! Lives here: making acts of what the classifiers say. Never: whether it may.

use super::Request;
use crate::action::{Act, Effect, Facts, FileFacts, Object, ShellFacts, Verb};
use crate::classify::shell::{self, Arg, Judged, Shell, ShellLimits, Understanding, canonical};
use crate::denial::{Code, Denial};
use std::collections::BTreeMap;

/// What stands for an argument that is not known: no rule can name it, since no argument holds this character.
const NOT_KNOWN: &str = "\0";

/// What a request does.
#[derive(Debug)]
pub(super) struct Reading {
    /// All that it does; all must pass.
    pub acts: Vec<Act>,
    /// Why it could not be told, where an act says that it could not.
    pub unclear: Option<Denial>,
    /// What passes through its streams are files as they are, and nothing else.
    pub transfers: bool,
}

/// Reads a request. `shell` is the one that the target declares.
pub(super) fn read(request: &Request, shell: Option<Shell>) -> Reading {
    match request {
        Request::Exec {
            command,
            terminal,
            environment,
        } => {
            let circumstances = Circumstances {
                terminal: *terminal,
                environment,
            };
            exec(command, shell.unwrap_or(Shell::Forced), &circumstances)
        }
        Request::Shell {
            terminal,
            environment,
        } => known(vec![Act {
            verb: Verb::SshShell,
            object: Object::Target,
            facts: Facts::Shell(ShellFacts {
                terminal: *terminal,
                environment: environment.keys().cloned().collect(),
                ..ShellFacts::default()
            }),
        }]),
        Request::Files { acts, .. } => known(acts.iter().flat_map(file_acts).collect()),
        // Who may go to services need not be who may go to sockets, which are the ways to what runs on the host itself.
        Request::Forward { host, port: 0 } => known(vec![leads(Verb::SshSocket, host, 0)]),
        Request::Forward { host, port } => known(vec![leads(Verb::SshForward, host, *port)]),
        Request::Listen { host, port } => known(vec![leads(Verb::SshListen, host, *port)]),
    }
}

fn leads(verb: Verb, host: &str, port: u16) -> Act {
    let host = host.to_owned();
    Act::new(verb, Object::Forward { host, port })
}

/// An operation on a file; and, where what is put there is code to whoever reads it, what running that is. By a command
/// line the same would have that effect, and no way to the same end is the milder one.
fn file_acts((verb, path): &(Verb, String)) -> Vec<Act> {
    let mut acts = vec![file_act(*verb, path.clone())];
    let puts = matches!(verb, Verb::SshUpload | Verb::SshRename | Verb::SshChmod);
    if let Some((effect, _)) = shell::written(path).filter(|_| puts) {
        let verb = match effect {
            Effect::Administer => Verb::SshAdminister,
            Effect::Destroy => Verb::SshRemove,
            _ => Verb::SshRun,
        };
        acts.push(Act {
            verb,
            object: Object::Program { path: path.clone() },
            facts: Facts::Shell(ShellFacts::default()),
        });
    }
    acts
}

fn known(acts: Vec<Act>) -> Reading {
    Reading {
        acts,
        unclear: None,
        transfers: false,
    }
}

/// What a command line runs with.
struct Circumstances<'a> {
    terminal: bool,
    environment: &'a BTreeMap<String, String>,
}

fn exec(command: &[u8], shell: Shell, with: &Circumstances<'_>) -> Reading {
    let commands = match shell::understand(command, shell, &ShellLimits::default()) {
        Understanding::Understood { commands } => commands,
        Understanding::Unknown { reason } => {
            let denial = Denial::new(Code::Unknown, "brattice.shell", reason.text())
                .hint("spell out each program and its arguments, one plain command at a time");
            return Reading {
                acts: vec![unknown(String::from_utf8_lossy(command).into_owned(), with)],
                unclear: Some(denial),
                transfers: false,
            };
        }
    };
    let transfers = !with.terminal && commands.iter().any(|judged| judged.transfers);
    let mut acts = Vec::new();
    let mut unclear = None;
    for judged in &commands {
        let (act, why) = program(judged, with);
        unclear = unclear.or(why);
        if let Some(act) = &act {
            let also = judged.also.iter().map(|effect| Act {
                verb: verb(*effect),
                ..act.clone()
            });
            acts.extend(also);
        }
        acts.extend(act);
        acts.extend(judged.files.iter().map(|f| file(f, with)));
    }
    acts.sort();
    acts.dedup();
    // A line that runs nothing still makes the shell start.
    if acts.is_empty() {
        acts.push(Act {
            verb: Verb::SshInspect,
            object: Object::Program {
                path: "(nothing)".to_owned(),
            },
            facts: Facts::Shell(with.facts(&[])),
        });
    }
    Reading {
        acts,
        unclear,
        transfers,
    }
}

/// The act of one program; none for a redirection that stands alone, whose files say all.
fn program(judged: &Judged, with: &Circumstances<'_>) -> (Option<Act>, Option<Denial>) {
    let mut effect = judged.effect;
    if judged.pages && with.terminal {
        effect = effect.max(Effect::Execute);
    }
    let verb = verb(effect);
    if verb == Verb::SshUnknown {
        let denial = Denial::new(Code::Unknown, "brattice.shell", judged.why.clone())
            .hint("write it so that what it does can be told from its arguments");
        return (Some(unknown(canonical(&judged.argv), with)), Some(denial));
    }
    let told_by_files = judged.files.iter().any(|f| f.effect >= effect);
    if judged.program.is_empty() && told_by_files {
        return (None, None);
    }
    let path = match judged.program.as_str() {
        "" => "(redirection)".to_owned(),
        name => name.to_owned(),
    };
    let act = Act {
        verb,
        object: Object::Program { path },
        facts: Facts::Shell(with.facts(&judged.argv)),
    };
    (Some(act), None)
}

/// What a program is called that has that effect.
fn verb(effect: Effect) -> Verb {
    match effect {
        Effect::Read => Verb::SshInspect,
        Effect::Write => Verb::SshChange,
        Effect::Destroy => Verb::SshRemove,
        Effect::Administer => Verb::SshAdminister,
        Effect::Execute => Verb::SshRun,
        Effect::Unknown => Verb::SshUnknown,
    }
}

impl Circumstances<'_> {
    fn facts(&self, argv: &[Arg]) -> ShellFacts {
        ShellFacts {
            line: canonical(argv),
            arguments: argv.iter().skip(1).map(argument).collect(),
            terminal: self.terminal,
            environment: self.environment.keys().cloned().collect(),
        }
    }
}

fn argument(arg: &Arg) -> String {
    match arg {
        Arg::Exact(text) => text.clone(),
        Arg::Home(rest) if rest.is_empty() => "~".to_owned(),
        Arg::Home(rest) => format!("~/{rest}"),
        Arg::Opaque(_) => NOT_KNOWN.to_owned(),
    }
}

fn unknown(line: String, with: &Circumstances<'_>) -> Act {
    let facts = ShellFacts {
        line,
        ..with.facts(&[])
    };
    Act {
        verb: Verb::SshUnknown,
        object: Object::Target,
        facts: Facts::Shell(facts),
    }
}

/// A file that a command line names. What it does with one that it runs is with the program.
fn file(file: &shell::File, with: &Circumstances<'_>) -> Act {
    let verb = match file.effect {
        Effect::Read | Effect::Execute => Verb::SshDownload,
        Effect::Write => Verb::SshUpload,
        Effect::Destroy => Verb::SshDelete,
        Effect::Administer => Verb::SshChmod,
        Effect::Unknown => return unknown(canonical(std::slice::from_ref(&file.path)), with),
    };
    file_act(verb, place(&file.path))
}

fn file_act(verb: Verb, path: String) -> Act {
    Act {
        verb,
        object: Object::File { path },
        facts: Facts::File(FileFacts::default()),
    }
}

/// The path that policy knows a file by. Where it lies is not known of one that begins anywhere, that climbs, or of which
/// a part is not known: it may be anywhere. So may one that leads through what processes have open.
fn place(path: &Arg) -> String {
    const ANYWHERE: &str = "/";
    let (home, path) = match path {
        Arg::Exact(path) if path.starts_with('/') => (false, path.as_str()),
        Arg::Home(rest) => (true, rest.as_str()),
        Arg::Exact(_) | Arg::Opaque(_) => return ANYWHERE.to_owned(),
    };
    let parts: Vec<&str> = path
        .split('/')
        .filter(|p| !p.is_empty() && *p != ".")
        .collect();
    if parts.contains(&"..") || (!home && leads_through_processes(&parts)) {
        return ANYWHERE.to_owned();
    }
    match home {
        true if parts.is_empty() => "~".to_owned(),
        true => format!("~/{}", parts.join("/")),
        false => format!("/{}", parts.join("/")),
    }
}

/// Whether a path leads through a link that the kernel keeps for a process, to its root, its directory or a file that it has
/// open (proc(5)), or to where those links are, since some programs follow what they find: what is behind them has another
/// name as well. `/dev/fd/3` and its like alone are what the line itself opened.
fn leads_through_processes(parts: &[&str]) -> bool {
    let is_link = |part: Option<&&str>| {
        part.is_some_and(|part| ["root", "cwd", "exe", "fd", "map_files"].contains(part))
    };
    let is_process = |part: &str| {
        ["self", "thread-self"].contains(&part) || part.chars().all(|c| c.is_ascii_digit())
    };
    match parts {
        ["proc"] => true,
        ["proc", process] | ["proc", process, "task"] => is_process(process),
        ["proc", process, "task", _] => is_process(process),
        ["proc", _, "task", _, rest @ ..] | ["proc", _, rest @ ..] => is_link(rest.first()),
        ["dev", "fd", _, _, ..] => true,
        ["dev", "stdin" | "stdout" | "stderr", _, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn reading(command: &str, terminal: bool) -> Reading {
        let request = Request::Exec {
            command: Bytes::copy_from_slice(command.as_bytes()),
            terminal,
            environment: BTreeMap::new(),
        };
        read(&request, Some(Shell::Bash))
    }

    fn acts_on(command: &str, terminal: bool) -> Vec<String> {
        let target = crate::target::Target {
            name: "web-1".to_owned(),
            protocol: crate::target::Protocol::Ssh,
            labels: std::collections::BTreeMap::new(),
            observe: false,
        };
        let reading = reading(command, terminal);
        let tell = |a: &Act| format!("{} {}", a.verb.as_str(), a.object.entity_id(&target));
        reading.acts.iter().map(tell).collect()
    }

    fn acts(command: &str) -> Vec<String> {
        acts_on(command, false)
    }

    #[test]
    fn a_command_line_is_its_programs_and_the_files_it_names() {
        assert_eq!(
            acts("cat /etc/hosts > /tmp/./a"),
            [
                "ssh.change web-1/cat",
                "ssh.download web-1/etc/hosts",
                "ssh.upload web-1/tmp/a",
            ]
        );
        assert_eq!(acts("rm -rf /srv/app")[0], "ssh.remove web-1/rm");
        assert_eq!(acts("frobnicate"), ["ssh.run web-1/frobnicate"]);
    }

    #[test]
    fn a_path_that_may_be_anywhere_is_the_root() {
        for line in [
            "cat notes",
            "cat /var/log/../../etc/shadow",
            "cat /etc/shad*",
            "cat /proc/self/root/etc/shadow",
            "cat //proc/./1/cwd/a",
            "cat /proc/thread-self/root/etc/shadow",
            "cat /proc/self/task/7/root/etc/shadow",
            "cat /proc/7/fd/3",
            "cat /dev/fd/3/etc/shadow",
            "grep -R root: /proc/self/",
            "ls -LR /proc/self/task/7",
            "cat /proc/7/map_files/1-2",
            "cd /etc && git diff -C shadow hostname",
            "cd /etc && git diff -M shadow hostname",
            "cd /etc && git diff -- shadow hostname",
            "cat < /proc/self/root/etc/shadow",
            "cd /proc/self/root && cat etc/shadow",
            "cd /proc/self && cat root/etc/shadow",
            "git diff shadow hostname",
            "cd /etc && git diff shadow hostname",
            "git -C /etc diff shadow hostname",
            "ls | cpio -o",
            "md5sum -c list",
            "curl --url-query x@notes h",
        ] {
            assert!(
                acts(line).contains(&"ssh.download web-1/".to_owned()),
                "{line}: {:?}",
                acts(line)
            );
        }
        for (line, act) in [
            (
                "cat /proc/self/status",
                "ssh.download web-1/proc/self/status",
            ),
            ("cat /dev/fd/3", "ssh.download web-1/dev/fd/3"),
            ("cat /proc/meminfo", "ssh.download web-1/proc/meminfo"),
            (
                "cat /proc/sys/fs/file-max",
                "ssh.download web-1/proc/sys/fs/file-max",
            ),
            ("echo a > /proc/self/root/x", "ssh.run web-1/echo"),
            ("rm /proc/self/cwd/x", "ssh.delete web-1/"),
            ("cd /srv/app && find -delete", "ssh.delete web-1/srv/app"),
        ] {
            assert!(
                acts(line).contains(&act.to_owned()),
                "{line}: {:?}",
                acts(line)
            );
        }
        assert!(acts("cat ~/notes").contains(&"ssh.download web-1/~/notes".to_owned()));
    }

    #[test]
    fn where_a_line_works_is_known_when_it_begins_by_going_there() {
        for (line, path) in [
            ("cd /srv/app || exit 1\ncat notes", "/srv/app/notes"),
            (
                "cd /srv/app || exit 1\nexport LANG=C\ncat notes",
                "/srv/app/notes",
            ),
            ("cd -- /srv/app && cat notes && ls", "/srv/app/notes"),
            ("cd /srv/app && cat < notes", "/srv/app/notes"),
            ("cd ~/app || exit\n{ wc -l notes; }", "~/app/notes"),
            ("cd ~ && head notes", "~/notes"),
            ("cd /srv && for f in a b; do cat $f; done", "/srv/a"),
            ("cd /srv/app && grep -r x", "/srv/app"),
        ] {
            let acts = acts(line);
            assert!(
                acts.contains(&format!(
                    "ssh.download web-1{}{path}",
                    if path.starts_with('~') { "/" } else { "" }
                )),
                "{line}: {acts:?}"
            );
            assert!(
                !acts.contains(&"ssh.download web-1/".to_owned()),
                "{line}: {acts:?}"
            );
        }
        let acts = acts("cd /srv && tee log/x");
        assert!(
            acts.contains(&"ssh.upload web-1/srv/log/x".to_owned()),
            "{acts:?}"
        );
    }

    #[test]
    fn where_a_line_works_is_not_known_when_anything_may_lead_it_elsewhere() {
        for line in [
            "cd /srv; cat notes",
            "cd /srv || true; cat notes",
            "cd /srv || cat notes",
            "cd /srv && ls || cat notes",
            "cd /srv & cat notes",
            "! cd /srv && cat notes",
            "cd /srv && cd - && cat notes",
            "cd /srv && cd /etc && cat notes",
            "cd /srv || exit 1\n(cd /etc; cat notes)",
            "cd /srv || exit 1\ncd $x; cat notes",
            "cd /srv || exit 1\nenv -C /etc cat notes",
            "cd /srv || exit 1\nfind /etc -execdir cat notes \\;",
            "cd /srv || exit 1\npushd /etc; cat notes",
            "cd /srv || exit 1\nbuiltin cd /etc; cat notes",
            "cd /srv || exit 1\nsh -c 'cd /etc; cat notes'",
            "cd /srv || exit 1\neval 'cd /etc'; cat notes",
            "cd /srv || exit 1\n. ./setup; cat notes",
            "cd /srv || exit 1\nfrobnicate; cat notes",
            "cd /srv > /tmp/x || exit 1\ncat notes",
            "A=b cd /srv || exit 1\ncat notes",
            "cd /srv | cat || exit 1\ncat notes",
            "cd $HOME || exit 1\ncat notes",
            "cd srv || exit 1\ncat notes",
            "cd /srv/* || exit 1\ncat notes",
            "cd -P /srv || exit 1\ncat notes",
            "cd /srv || return\ncat notes",
            "if cd /srv; then cat notes; fi",
            "cd /srv || exit 1\ntrap 'cd /etc' INT; cat notes",
            "cd /srv || exit 1\nexec cd /etc; cat notes",
            "cd /srv || exit 1\nchdir /etc; cat notes",
            "cd /srv || exit 1\ncat ../notes",
            "cd /srv || exit 1\ncat *.log",
            "sh -c 'cd /srv || exit 1; cat notes'; cat notes",
        ] {
            let acts = acts(line);
            let told = acts.contains(&"ssh.download web-1/".to_owned())
                || acts.iter().any(|a| a.starts_with("ssh.unknown"));
            assert!(told, "{line}: {acts:?}");
            assert!(
                !acts.contains(&"ssh.download web-1/srv/notes".to_owned()),
                "{line}: {acts:?}"
            );
        }
        // A program that has a directory of its own to begin names in is never among those that are followed.
        let acts = acts("cd /srv || exit 1\ntar -C /etc -cf - passwd");
        assert!(
            !acts.contains(&"ssh.download web-1/srv/passwd".to_owned()),
            "{acts:?}"
        );
    }

    #[test]
    fn a_file_that_decides_what_runs_is_code_however_it_is_written() {
        let verbs = |verb, path: &str| {
            let request = Request::Files {
                acts: vec![(verb, path.to_owned())],
                text: String::new(),
                frame: Bytes::new(),
            };
            let acts = read(&request, Some(Shell::Bash)).acts;
            acts.iter().map(|a| a.verb.as_str()).collect::<Vec<_>>()
        };
        for path in [
            "/home/x/.ssh/authorized_keys",
            "/home/x/.bashrc",
            "/srv/x/.git/config",
            "/etc/cron.d/x",
            "/usr/bin/x",
        ] {
            assert_eq!(
                verbs(Verb::SshUpload, path),
                ["ssh.upload", "ssh.run"],
                "{path}"
            );
            assert_eq!(
                verbs(Verb::SshRename, path),
                ["ssh.rename", "ssh.run"],
                "{path}"
            );
            assert_eq!(verbs(Verb::SshDownload, path), ["ssh.download"], "{path}");
        }
        assert_eq!(
            verbs(Verb::SshUpload, "/etc/motd"),
            ["ssh.upload", "ssh.administer"]
        );
        assert_eq!(verbs(Verb::SshUpload, "/srv/app/data"), ["ssh.upload"]);
    }

    #[test]
    fn what_is_not_understood_is_unknown() {
        for line in ["$(echo rm) -rf /", "\u{7}ls"] {
            assert_eq!(acts(line), ["ssh.unknown web-1"], "{line}");
        }
    }

    #[test]
    fn files_pass_as_they_are_only_where_nothing_else_can() {
        assert_eq!(
            acts("scp -t /srv/app"),
            ["ssh.change web-1/scp", "ssh.upload web-1/srv/app"]
        );
        assert!(reading("scp -f /srv/app", false).transfers);
        for line in ["scp -f /srv/app; cat /etc/hosts", "cat /srv/app", "$x"] {
            assert!(!reading(line, false).transfers, "{line}");
        }
        assert!(!reading("scp -f /srv/app", true).transfers);
    }

    #[test]
    fn every_effect_of_sql_is_an_act_of_its_own() {
        let found = acts("psql -h db -d app -c 'SELECT a FROM t; DROP TABLE x'");
        assert_eq!(found, ["ssh.inspect web-1/psql", "ssh.remove web-1/psql"]);
        assert_eq!(acts("psql -c 'SELECT 1'"), ["ssh.inspect web-1/psql"]);
        let found = acts("psql -c 'SELECT wipe(); TRUNCATE x'");
        assert_eq!(found, ["ssh.remove web-1/psql", "ssh.run web-1/psql"]);
        let found = acts_on("psql -c 'TRUNCATE x'", true);
        assert_eq!(found, ["ssh.remove web-1/psql", "ssh.run web-1/psql"]);
    }

    #[test]
    fn on_a_terminal_a_pager_can_run_anything() {
        assert!(acts("git log")[0].starts_with("ssh.inspect"));
        assert!(acts_on("git log", true)[0].starts_with("ssh.run"));
    }
}
