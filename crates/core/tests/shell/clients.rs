//! What stock clients of file transfer make a host run, asked of the clients themselves: rsync, scp and git are started
//! with a program in the place of `ssh` that writes down the command line.

use crate::corpus::said;
use crate::oracle::installed;
use brattice_core::action::Effect;
use brattice_core::classify::shell::{Arg, Judged, Shell, Understanding, canonical};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A directory with files to send, and the program that stands for `ssh`.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Place {
    fn new(name: &str) -> Self {
        let place =
            std::env::temp_dir().join(format!("brattice-shell-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("s")).unwrap();
        fs::write(place.join("s/a"), "x").unwrap();
        let ssh = place.join("ssh");
        fs::write(
            &ssh,
            "#!/bin/sh\n[ \"$1\" = -G ] && exit 0\nfor last; do seen=$seen$mark$last; mark=' '; done\n\
             while [ \"$1\" != h ]; do shift; done\nshift\nprintf '%s' \"$*\" > \"${0%/*}/line\"\nexit 1\n",
        )
        .unwrap();
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        Self(place)
    }

    /// The command line that a client asks for.
    fn asked(&self, program: &str, before: &[&str], args: &str) -> String {
        let line = self.0.join("line");
        let _ = fs::remove_file(&line);
        let _ = Command::new(installed_anywhere(program))
            .args(before)
            .args(args.split(' '))
            .current_dir(&self.0)
            .env("GIT_SSH", self.0.join("ssh"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        fs::read_to_string(&line).unwrap_or_else(|_| panic!("{program} {args} asks for nothing"))
    }
}

/// git may have been built here.
fn installed_anywhere(name: &str) -> String {
    let own = format!("/usr/local/bin/{name}");
    if PathBuf::from(&own).exists() {
        return own;
    }
    installed(name)
}

fn judged(line: &str) -> Judged {
    match said(line, Shell::Bash) {
        Understanding::Understood { commands } => {
            assert_eq!(commands.len(), 1, "{line}");
            commands[0].clone()
        }
        Understanding::Unknown { reason } => panic!("{line}: {reason}"),
    }
}

fn files(judged: &Judged) -> String {
    let shown = judged.files.iter().map(|file| {
        let path = canonical(&[Arg::exact("x"), file.path.clone()]);
        format!("{} {}", file.effect, path.strip_prefix("x ").unwrap())
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn what_rsync_makes_a_host_run_is_understood() {
    let place = Place::new("rsync");
    for (args, effect, named) in [
        ("s/a h:/srv/x", Effect::Write, "write /srv/x, read /srv/x"),
        ("-a s/ h:/srv/x", Effect::Write, "write /srv/x, read /srv/x"),
        ("-avz h:/srv/x/ s/", Effect::Read, "read /srv/x/"),
        (
            "-a h:/srv/x :/srv/y s/",
            Effect::Read,
            "read /srv/x, read /srv/y",
        ),
        (
            "-av --delete s/ h:/srv/x",
            Effect::Destroy,
            "write /srv/x, read /srv/x, destroy /srv/x",
        ),
        (
            "-a --remove-source-files h:/srv/x/ s/",
            Effect::Destroy,
            "read /srv/x/, destroy /srv/x/",
        ),
        ("-aP s/ h:data", Effect::Write, "write data, read data"),
        ("-a s/ h:~/data", Effect::Write, "write ~/data, read ~/data"),
        (
            "-a --partial-dir=.part s/ h:/srv/x",
            Effect::Write,
            "write /srv/x, read /srv/x, write /srv/x/.part, write /srv/.part",
        ),
        (
            "-ab --backup-dir=/srv/b --suffix=.old s/ h:/srv/x",
            Effect::Write,
            "write /srv/x, read /srv/x, write /srv/b",
        ),
        (
            "-a --compare-dest=/srv/c s/ h:/srv/x",
            Effect::Write,
            "write /srv/x, read /srv/x, read /srv/c",
        ),
        (
            "-a --link-dest=/srv/l --temp-dir=/srv/t s/ h:/srv/x",
            Effect::Write,
            "write /srv/x, read /srv/x, write /srv/t, write /srv/l",
        ),
        (
            "-a --files-from=:/srv/list h:/srv/x s/",
            Effect::Read,
            "read /srv/x, read /srv/list",
        ),
        (
            "-a --files-from=/dev/null h:/srv/x s/",
            Effect::Read,
            "read /srv/x",
        ),
        (
            "-azi --stats --info=progress2 s/ h:/srv/x",
            Effect::Write,
            "",
        ),
        (
            "-aHAXSxWOJUmKuc --inplace --numeric-ids --safe-links --size-only --modify-window=1 s/ h:/srv/x",
            Effect::Write,
            "",
        ),
        (
            "-akLR --copy-unsafe-links --bwlimit=1m --timeout=5 --max-size=1m --min-size=1 h:/srv/x s/",
            Effect::Read,
            "",
        ),
        (
            "-aI --checksum-choice=md5 --compress-choice=zstd -zz --checksum-seed=1 -B700 --partial s/ h:/srv/x",
            Effect::Write,
            "",
        ),
        // Sums of what is there already tell it.
        ("-aW s/ h:/srv/x", Effect::Write, "write /srv/x"),
        ("--list-only h:/srv/x/", Effect::Read, ""),
        (
            "-an --delete-after --delete-excluded s/ h:/srv/x",
            Effect::Destroy,
            "",
        ),
        ("-r --force --max-delete=3 s/ h:/srv/x", Effect::Destroy, ""),
        ("-a --write-devices s/ h:/srv/x", Effect::Destroy, ""),
        ("-a --chown=a:b s/ h:/srv/x", Effect::Administer, ""),
        ("-a --super s/ h:/srv/x", Effect::Administer, ""),
        (
            "-a -M--log-file=/srv/l s/ h:/srv/x",
            Effect::Write,
            "write /srv/x, read /srv/x, write /srv/l",
        ),
    ] {
        let line = place.asked("rsync", &["-e", "./ssh"], args);
        let judged = judged(&line);
        assert_eq!(judged.effect, effect, "{args}: {line}");
        assert!(judged.transfers, "{args}: {line}");
        if !named.is_empty() {
            assert_eq!(files(&judged), named, "{args}: {line}");
        }
    }
}

#[test]
fn what_makes_rsync_do_more_is_execute() {
    let place = Place::new("rsync-more");
    for args in [
        "-ay s/ h:/srv/x",
        "-s -a s/ h:/srv/x",
        "-a s/ h:",
        "-a s/ h:~/.ssh",
        "-a s/ h:~",
        "-a s/ h:/home/deploy",
        "-a s/ h:/",
        "-a s/ h:../deploy",
        "-a s/ h:/etc/cron.d/",
        "-a --backup-dir=/home/deploy/.ssh -b s/ h:/srv/x",
        "-a --link-dest=/home/deploy s/ h:/srv/x",
        "-a --temp-dir=/etc/cron.d s/ h:/srv/x",
        "-a --partial-dir=.git s/ h:/srv/x",
        "-ab --suffix=rc s/ h:/srv/x",
        "-a -M--log-file=.bashrc s/ h:/srv/x",
        "-a -M--daemon s/ h:/srv/x",
        "-a -M--rsh=x s/ h:/srv/x",
        "-a -M--config=x s/ h:/srv/x",
        "-a -M--exclude-from=/etc/shadow s/ h:/srv/x",
        "-a -M--unheard-of s/ h:/srv/x",
        "-a h::mod s/",
    ] {
        let line = place.asked("rsync", &["-e", "./ssh"], args);
        let effect = said(&line, Shell::Bash).effect();
        assert_eq!(effect, Effect::Execute, "{args}: {line}");
    }
}

#[test]
fn what_scp_makes_a_host_run_is_understood() {
    let place = Place::new("scp");
    for (args, effect, named) in [
        ("s/a h:/srv/x", Effect::Write, "write /srv/x"),
        ("-r s h:data", Effect::Write, "write data"),
        ("-rpv h:/srv/x s", Effect::Read, "read /srv/x"),
        ("-q s/a s/a h:/srv/x", Effect::Write, "write /srv/x"),
        ("h:/srv/*.log s", Effect::Read, "read /srv/$?"),
        ("s/a h:-x", Effect::Write, "write -x"),
        ("s/a h:", Effect::Execute, "write ."),
        ("s/a h:~/.ssh/authorized_keys", Effect::Execute, ""),
    ] {
        let line = place.asked("scp", &["-O", "-S", "./ssh"], args);
        let judged = judged(&line);
        assert_eq!(judged.effect, effect, "{args}: {line}");
        assert!(judged.transfers, "{args}: {line}");
        if !named.is_empty() {
            assert_eq!(files(&judged), named, "{args}: {line}");
        }
    }
}

#[test]
fn what_git_makes_a_host_run_is_understood() {
    let place = Place::new("git");
    for args in [
        "init -q s",
        "-C s -c user.name=a -c user.email=a commit -q --allow-empty -m x",
    ] {
        let done = Command::new(installed_anywhere("git"))
            .args(args.split(' '))
            .current_dir(&place.0)
            .status()
            .unwrap();
        assert!(done.success());
    }
    for (args, effect, named) in [
        ("clone h:/srv/r.git", Effect::Read, "read /srv/r.git"),
        ("ls-remote h:r", Effect::Read, "read r"),
        ("ls-remote ssh://h/~/r", Effect::Read, "read ~/r"),
        (
            "-C s fetch h:/srv/it's",
            Effect::Read,
            r"read '/srv/it'\''s'",
        ),
        (
            "-C s push h:/srv/r.git HEAD:main",
            Effect::Write,
            "write /srv/r.git",
        ),
        (
            "-C s archive --remote=h:/srv/r HEAD",
            Effect::Read,
            "read /srv/r",
        ),
    ] {
        let line = place.asked("git", &[], args);
        let judged = judged(&line);
        assert_eq!(judged.effect, effect, "{args}: {line}");
        assert!(judged.transfers, "{args}: {line}");
        assert_eq!(files(&judged), named, "{args}: {line}");
    }
}

#[test]
fn only_a_line_that_is_nothing_else_transfers() {
    let transfers = |line: &str| match said(line, Shell::Bash) {
        Understanding::Understood { commands } => commands.iter().any(|judged| judged.transfers),
        Understanding::Unknown { .. } => false,
    };
    for line in [
        "scp -t /srv/x",
        "  scp -f /srv/x",
        "/usr/bin/scp -f /srv/x",
        "rsync --server -e.LsfxCIvu . /srv/x",
        "git-upload-pack '/srv/r'",
        "git upload-pack '/srv/r'",
        "git-receive-pack '/srv/r'",
        "git-upload-archive '/srv/r'",
    ] {
        assert!(transfers(line), "{line}");
        for more in [
            "; cat x",
            " && cat x",
            " || cat x",
            "\ncat x",
            " | cat",
            " &",
            " > x",
            " 2>&1",
            " < x",
            " <<E\nx\nE",
            " $(cat x)",
            " \"$(cat x)\"",
        ] {
            assert!(!transfers(&format!("{line}{more}")), "{line}{more}");
        }
        for (before, behind) in [
            ("cat x; ", ""),
            ("cat x | ", ""),
            ("! ", ""),
            ("x=1 ", ""),
            ("< x ", ""),
            ("{ ", "; }"),
            ("( ", " )"),
            ("if ", "; then cat x; fi"),
            ("while ", "; do cat x; done"),
            ("sh -c '", "'"),
            ("eval ", ""),
            ("exec ", ""),
            ("sudo ", ""),
            ("env ", ""),
        ] {
            let whole = format!("{before}{line}{behind}");
            assert!(!transfers(&whole), "{whole}");
        }
    }
    for line in [
        "cat x",
        "rsync x y",
        "scp x y",
        "rsync --server",
        "git log",
        "scp -tf x",
    ] {
        assert!(!transfers(line), "{line}");
    }
}
