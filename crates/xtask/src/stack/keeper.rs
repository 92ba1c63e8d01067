//! Ends our processes when we end without a chance to do so ourselves (SIGKILL, an abort, the end of a test binary).
//!
//! A small shell reads on a pipe which process groups exist. When the pipe's other end, ours, is gone, it ends those
//! that were not taken back.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};

const SCRIPT: &str = r#"
groups=" "
while read -r op group; do
    case $op in
        +) groups="$groups$group " ;;
        -) case $groups in *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;; esac ;;
    esac
done
for group in $groups; do kill -s TERM -- "-$group" 2>/dev/null; done
for _ in 1 2 3 4 5 6 7 8 9 10; do
    alive=
    for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && alive=1; done
    [ -n "$alive" ] || exit 0
    sleep 0.3
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"#;

static KEEPER: Mutex<Option<Child>> = Mutex::new(None);

/// From now on `group` ends with us.
///
/// # Errors
/// When the keeper cannot be started.
pub(super) fn add(group: u32) -> Result<()> {
    tell('+', group)
}

/// `group` has ended.
pub(super) fn remove(group: u32) {
    // A keeper that is gone has nothing to forget.
    let _ = tell('-', group);
}

fn tell(op: char, group: u32) -> Result<()> {
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = match keeper.take() {
        Some(child) => child,
        None => start()?,
    };
    let told = child
        .stdin
        .as_mut()
        .context("the keeper's pipe")
        .and_then(|pipe| writeln!(pipe, "{op} {group}").context("telling the keeper"));
    *keeper = Some(child);
    told
}

fn start() -> Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not of our group: a Ctrl-C must not reach it.
        .process_group(0)
        .spawn()
        .context("starting /bin/sh")
}

#[cfg(test)]
mod tests {
    use std::{
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").process_group(0).spawn().unwrap()
    }

    #[test]
    fn what_was_not_taken_back_ends_with_the_pipe() {
        let mut keeper = start().unwrap();
        let (mut kept, mut taken_back) = (sleeper(), sleeper());
        let mut pipe = keeper.stdin.take().unwrap();
        write!(pipe, "+ {}\n+ {}\n- {}\n", taken_back.id(), kept.id(), taken_back.id()).unwrap();
        thread::sleep(Duration::from_millis(100));
        assert!(kept.try_wait().unwrap().is_none(), "ended while the pipe was open");
        drop(pipe);
        let begin = Instant::now();
        while kept.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(5), "not ended");
            thread::sleep(Duration::from_millis(10));
        }
        keeper.wait().unwrap();
        assert!(taken_back.try_wait().unwrap().is_none(), "one was ended that had been taken back");
        taken_back.kill().unwrap();
        taken_back.wait().unwrap();
    }
}
