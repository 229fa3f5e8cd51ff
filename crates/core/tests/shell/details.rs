//! What is said of each program: arguments, files, SQL.

use crate::corpus::said;
use brattice_core::action::Effect;
use brattice_core::classify::shell::{
    Arg, Judged, Reason, Shell, ShellLimits, Understanding, canonical, programs, understand,
};

fn judged(line: &str) -> Vec<Judged> {
    match said(line, Shell::Bash) {
        Understanding::Understood { commands } => commands,
        Understanding::Unknown { reason } => panic!("{line}: {reason}"),
    }
}

fn reason(line: &str, shell: Shell) -> Option<Reason> {
    match said(line, shell) {
        Understanding::Understood { .. } => None,
        Understanding::Unknown { reason } => Some(reason),
    }
}

/// Every file with what is done to it, `?` for one that is not known.
fn files(line: &str) -> Vec<String> {
    let all = judged(line);
    let files = all.iter().flat_map(|judged| &judged.files);
    files
        .map(|file| {
            format!(
                "{} {}",
                file.effect,
                canonical(&[Arg::exact("x"), file.path.clone()])
            )
        })
        .map(|text| text.replacen(" x ", " ", 1))
        .collect()
}

#[test]
fn files_are_named_with_what_is_done_to_them() {
    for (line, expected) in [
        ("cat a b", "read a, read b"),
        ("cat < a > b", "read a, write b"),
        ("rm -rf a -- -b", "destroy a, destroy -b"),
        ("cp a b c/", "read a, read b, write c/"),
        ("cp -t c a b", "write c, read a, read b"),
        ("mv a b", "write a, write b"),
        ("grep -r x a b", "read a, read b"),
        ("grep -e x a", "read a"),
        ("cd a && grep -r x", "read ."),
        ("grep --directories=recurse x", "read ."),
        ("grep x", ""),
        ("rg x", "read ."),
        ("rg --files a", "read a"),
        ("dpkg -c a", "read a"),
        ("openssl enc -d -in a -pass file:b", "read a, read b"),
        ("openssl rsa -in a -passin \"$x\"", "read a, read $?"),
        ("openssl rsa -in a -passin pass:x", "read a"),
        ("sort -o b a", "write b, read a"),
        ("chmod 644 a", "administer a"),
        ("tar czf a.tgz b", "write a.tgz, read b"),
        ("tar xf a.tgz -C /b", "read a.tgz, write /b, write ."),
        ("dd if=a of=b", "read a, write b"),
        ("sed -i s/a/b/ c", "write c"),
        ("find a -delete", "destroy a"),
        ("ls ~/a", "read ~/a"),
        ("ls \"$x/a\"", "read $?"),
        ("ls 'a b'*", "read 'a b'$?"),
        ("ls > /dev/null", ""),
        ("{ ls; } > a", "write a"),
        ("xxd -ps /etc/shadow", "read /etc/shadow"),
        ("xxd -seek 1 a b", "read a, write b"),
        ("xxd a -p", "read a, write -p"),
        ("tree -P x a", "read a"),
        ("csplit /etc/shadow 1", "read /etc/shadow, write xx$?"),
        ("csplit -f a/b c 1", "read c, write a/b$?"),
        ("unzip a -d b -d c", "read a, write b, write c"),
        ("tar -Af a b", "write a, read b"),
        ("tar --delete -f a b", "destroy a"),
        (
            "tar xf a -C /b -C ../c",
            "read a, write /b, write /b/../c, write .",
        ),
        ("git worktree add /srv/a b", "write /srv/a"),
        ("git worktree add ../a b", "write ../a"),
        ("zstd -d -T0 a", "write a"),
        ("sar -f a", "read a"),
        ("find", "read ."),
        ("find -delete", "destroy ."),
        ("cd /srv/app && find -delete", "destroy /srv/app/."),
        ("find -L -name x", "read ."),
    ] {
        assert_eq!(files(line).join(", "), expected, "{line}");
    }
}

#[test]
fn files_are_named_that_values_lead_to() {
    for (line, expected) in [
        ("curl --url-query x@a h", "read a"),
        ("curl --url-query x=@a h", ""),
        ("curl --data-urlencode @a h", "read a"),
        ("curl --data-urlencode 'x</var/y@a' h", "read a"),
        ("curl --data-urlencode x@y=z h", ""),
        ("curl -F x=@a h", "read a"),
        ("curl -F 'x=<a' h", "read a"),
        ("curl -F 'a</var/b=@c' h", "read c"),
        ("curl -F 'x=@a;type=text/plain' h", "read a"),
        ("curl -F x=a@b h", ""),
        ("curl -F \"x=@$y\" h", "read $?"),
        ("curl -F \"x=@/srv/$y\" h", "read /srv/$?"),
        ("curl -E a:b h", "read a"),
        ("curl -b a h", "read a"),
        ("curl -b a=b h", ""),
        ("curl -d @a h", "read a"),
        ("curl -d \"$x\" h", "read $?"),
        ("curl -T a h", "read a"),
        ("ls | cpio -o", "read /$?"),
        ("cpio -t < a", "read a"),
        ("md5sum -c a", "read /$?, read a"),
        ("sha256sum --ch a", "read /$?, read a"),
        ("md5sum a", "read a"),
        ("git diff a b", "read a, read b"),
        ("git -C /etc diff a b", "read a, read b"),
        ("git diff -- /etc/a b", "read /etc/a, read b"),
        ("git diff HEAD a", "read a"),
        ("git diff -C a b", "read a, read b"),
        ("git -C c diff -C5 a b", "read a, read b"),
        ("git diff HEAD~2 HEAD^", ""),
        ("git diff a..b c", "read c"),
        ("git diff a/../b c", "read a/../b, read c"),
        ("git diff a", ""),
        ("git diff /a", "read /a"),
        ("git diff *", "read $?"),
        ("rg --file a b", "read a, read b"),
        ("rg -f a", "read a, read ."),
        ("rg --regexp a b", "read b"),
        ("lastb -f /a", "read /a"),
        ("last -f /a", "read /a"),
        ("pinky -l deploy", "read /$?"),
        ("who /a", "read /a"),
        ("who am i", ""),
        ("wall a", "read a"),
        ("lspci -F a", "read a"),
        ("lspci -i a -p b", "read a, read b"),
        ("lsusb -D /dev/a", "read /dev/a"),
        ("mktemp --tmpdir=a x", "write a, write x"),
        ("mktemp --tmpdir", ""),
        ("kubectl get -f a", "read a"),
        ("kubectl get --filename=a", "read a"),
        ("kubectl get pods -o go-template-file=a", "read a"),
        ("kubectl get pods -ojsonpath-file=a", "read a"),
        ("kubectl config view --output=go-template-file=a", "read a"),
        ("kubectl get pods -o \"$x\"", "read $?"),
        ("kubectl get pods -o wide", ""),
        ("kubectl logs -f a", ""),
        ("dig -m -f a @h", "read a"),
        ("ldapsearch -A -f a", "read a"),
        ("ldapsearch -y a", "read a"),
        ("pg_dumpall -t -fa", "write a"),
        ("pg_dumpall -l a -f b", "write b"),
        ("jq . a", "read a"),
        ("openssl x509 -in a -noout", "read a"),
    ] {
        assert_eq!(files(line).join(", "), expected, "{line}");
    }
}

#[test]
fn what_a_program_runs_is_judged_by_itself() {
    let all = judged("sudo -u app timeout 5 sh -c 'rm -rf a && ls'");
    let shown: Vec<String> = all
        .iter()
        .map(|judged| format!("{} {}", judged.effect, judged.program))
        .collect();
    assert_eq!(
        shown,
        [
            "administer sudo",
            "read timeout",
            "read sh",
            "destroy rm",
            "read ls"
        ]
    );
}

#[test]
fn sql_is_judged_statement_by_statement() {
    let told = |line: &str| {
        let judged = judged(line).remove(0);
        let also: Vec<&str> = judged.also.iter().map(|effect| effect.as_str()).collect();
        format!("{} [{}] {}", judged.effect, also.join(" "), judged.why)
    };
    for (line, expected) in [
        (
            "psql -XAt -d app -c 'SELECT a FROM t'",
            "read [read] What it sends only reads.",
        ),
        (
            "psql -c 'SELECT a FROM t' -c 'DROP TABLE x'",
            "destroy [read destroy] Its SQL is sql.drop.",
        ),
        (
            "psql -c 'SELECT wipe()'",
            "execute [execute] The function wipe may be the database's own.",
        ),
        (
            "psql -f x -c 'DROP TABLE x'",
            "execute [destroy] The option -f is not known.",
        ),
        (
            "psql -c \"$x\"",
            "execute [] The SQL that it sends is not part of the command line.",
        ),
        (
            "psql -c '\\! rm x'",
            "execute [] A command of psql's own may run programs, or is not known not to.",
        ),
    ] {
        assert_eq!(told(line), expected, "{line}");
    }
}

#[test]
fn files_that_are_connections_are_not_read() {
    for shell in [Shell::Sh, Shell::Bash] {
        assert_eq!(
            said("cat < /dev/tcp/localhost/1", shell).effect(),
            Effect::Execute
        );
        assert_eq!(
            said("cat < /dev//udp/localhost/1", shell).effect(),
            Effect::Execute
        );
        assert_eq!(said("cat < \"$x\"", shell).effect(), Effect::Execute);
        assert_eq!(said("cat < \"/srv/$x\"", shell).effect(), Effect::Read);
    }
}

#[test]
fn pagers_are_told_of() {
    assert!(judged("git log")[0].pages);
    assert!(judged("systemctl status x")[0].pages);
    assert!(!judged("ls")[0].pages);
}

#[test]
fn arguments_are_written_down_in_one_way() {
    for (line, expected) in [
        ("ls   -l  'a b'", "ls -l 'a b'"),
        ("l\"s\" a\\ b", "ls 'a b'"),
        ("ls --color=never a=b", "ls --color=never 'a=b'"),
        ("ls '' \"it's\"", r"ls '' 'it'\''s'"),
        ("ls $x ~/a a$x", "ls $? ~/a a$?"),
        ("ls '$?'", "ls '$?'"),
    ] {
        assert_eq!(canonical(&judged(line)[0].argv), expected, "{line}");
    }
}

#[test]
fn reasons_say_what_it_was() {
    for (line, expected) in [
        ("ls \u{7}", Reason::Control),
        ("ls 'a", Reason::OpenQuote),
        ("ls é", Reason::UnquotedUnicode),
        ("$x", Reason::HiddenProgram),
        ("x() { ls; }", Reason::Function),
        ("[[ a ]]", Reason::Construct),
        ("alias x=y", Reason::ChangesTheShell),
        ("ls ${x/a/b}", Reason::Parameter),
        ("ls $((x))", Reason::Arithmetic),
        ("cat <<E\nx", Reason::HereDocument),
        ("ls >& x", Reason::Redirection),
        ("ls )", Reason::Syntax),
        ("eval \"$x\"", Reason::HiddenText),
    ] {
        assert_eq!(reason(line, Shell::Bash), Some(expected), "{line}");
    }
    assert_eq!(reason("ls ~x", Shell::Zsh), Some(Reason::Tilde));
    assert_eq!(reason("ls =ls", Shell::Zsh), Some(Reason::Peculiar));
    assert_eq!(reason("exit 'a[$(rm x)]'", Shell::Zsh), None);
    assert_eq!(
        said("exit 'a[$(rm x)]'", Shell::Zsh).effect(),
        Effect::Execute
    );
    assert_eq!(reason("ls $'a'", Shell::Sh), Some(Reason::DollarQuote));
    assert_eq!(reason("ls {a,b}", Shell::Sh), Some(Reason::Brace));
    for reason in Reason::ALL {
        assert!(reason.text().ends_with('.'), "{reason:?}");
    }
}

#[test]
fn limits_are_kept() {
    let limits = ShellLimits::default();
    let unknown = |line: &str, expected: Reason| {
        let understood = understand(line.as_bytes(), Shell::Bash, &limits);
        assert_eq!(understood, Understanding::Unknown { reason: expected });
    };
    unknown(&"(".repeat(limits.nesting_max + 1), Reason::Construct);
    unknown(&"( ".repeat(limits.nesting_max + 1), Reason::TooDeep);
    unknown(&"echo $(".repeat(3_000), Reason::TooDeep);
    unknown(&"eval ".repeat(limits.nesting_max + 2), Reason::TooDeep);
    unknown(&"nice ".repeat(limits.nesting_max + 2), Reason::TooDeep);
    unknown(&"ls;".repeat(limits.programs_max + 1), Reason::TooMany);
    unknown(&"a".repeat(limits.command_bytes_max + 1), Reason::TooLong);
    assert_eq!(
        understand(b"ls \xff", Shell::Bash, &limits),
        Understanding::Unknown {
            reason: Reason::NotUtf8
        }
    );
}

#[test]
fn every_program_has_a_reason() {
    for (name, _, reason) in programs() {
        assert!(!reason.is_empty(), "{name}");
    }
}
