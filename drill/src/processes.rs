//! All processes of one site, struck together: started into a group, killed, frozen and thawed as one.
//!
//! Where the machine lets us make control groups (version 2), the kernel strikes all members at once. Elsewhere a
//! process belongs to a site by where it works: everything of a site works inside the site's folder, PostgreSQL's
//! own processes too, whoever their parent is.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long processes may take to be gone after SIGKILL: one that waits for a disk ends only when the disk answers.
const KILL_DURATION_MAX: Duration = Duration::from_secs(20);

/// How often a state that must come is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Moves the shell into the control group `$0`, then becomes the command.
const ENTER_GROUP: &str = r#"echo $$ >"$0/cgroup.procs" && exec "$@""#;

/// The control group of a whole run, if the machine lets us have one.
pub(crate) fn make_run_group(name: &str) -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })?;
    let group = mount.join(name);
    std::fs::create_dir(&group).ok()?;
    // Kernels before 5.14 cannot kill a group.
    let can_strike = ["cgroup.kill", "cgroup.freeze"]
        .iter()
        .all(|file| group.join(file).is_file());
    if !can_strike {
        let _ = std::fs::remove_dir(&group);
        return None;
    }
    Some(group)
}

/// The processes of one site.
pub(crate) struct Processes {
    folder: PathBuf,
    group: Option<PathBuf>,
    children: Vec<(String, Child)>,
}

impl Processes {
    /// No process yet. `run_group` is what [`make_run_group`] gave.
    pub(crate) fn new(name: &str, folder: &Path, run_group: Option<&Path>) -> Result<Self> {
        let group = run_group.map(|run| run.join(name));
        if let Some(group) = &group {
            std::fs::create_dir(group).with_context(|| format!("cannot make {}", group.display()))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            group,
            children: Vec::new(),
        })
    }

    /// Starts a program of the site; what it prints is added to `NAME.log`.
    pub(crate) fn start(&mut self, name: &str, command: &Command) -> Result<()> {
        let path = self.folder.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        let mut entered = self.entering(command);
        entered
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let child = entered
            .spawn()
            .with_context(|| format!("cannot start {}", words(command)))?;
        self.children.push((name.to_owned(), child));
        Ok(())
    }

    /// The process id of what was started under this name, while it lives.
    pub(crate) fn process_id(&mut self, name: &str) -> Option<Pid> {
        let (_, child) = self.children.iter_mut().find(|(started, _)| started == name)?;
        if child.try_wait().ok()?.is_some() {
            return None;
        }
        Some(Pid::from_child(child))
    }

    /// What was started and has ended, and not by our hand.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let children = self.children.iter_mut();
        let ended = children.filter_map(|(name, child)| {
            let status = child.try_wait().ok()??;
            Some(format!("{name} ({status})"))
        });
        ended.collect()
    }

    /// Kills every process of the site at once (SIGKILL), as a fire does, and waits until none is left.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let deadline = Instant::now() + KILL_DURATION_MAX;
        loop {
            match &self.group {
                Some(group) => std::fs::write(group.join("cgroup.kill"), "1")?,
                None => self.signal_all(Signal::KILL)?,
            }
            for (_, child) in &mut self.children {
                let _ = child.try_wait();
            }
            if self.members()?.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                bail!(
                    "processes of {} outlive SIGKILL: {:?}",
                    self.folder.display(),
                    self.members()?
                );
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        for (_, mut child) in self.children.drain(..) {
            child.wait()?;
        }
        // A frozen group would freeze whoever enters it next.
        if let Some(group) = &self.group {
            std::fs::write(group.join("cgroup.freeze"), "0")?;
        }
        Ok(())
    }

    /// Stops every process where it stands. Its connections stay open, and answer nothing.
    pub(crate) fn freeze(&self) -> Result<()> {
        let Some(group) = &self.group else {
            return self.signal_until_all_stand();
        };
        std::fs::write(group.join("cgroup.freeze"), "1")?;
        let deadline = Instant::now() + KILL_DURATION_MAX;
        while !std::fs::read_to_string(group.join("cgroup.events"))?.contains("frozen 1") {
            if Instant::now() > deadline {
                bail!("the processes of {} do not freeze", self.folder.display());
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        Ok(())
    }

    /// Lets every process go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        match &self.group {
            Some(group) => Ok(std::fs::write(group.join("cgroup.freeze"), "0")?),
            None => self.signal_all(Signal::CONT),
        }
    }

    /// The command, run so that its process is in the group before it does anything.
    fn entering(&self, command: &Command) -> Command {
        let mut entered = match &self.group {
            Some(group) => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", ENTER_GROUP])
                    .arg(group)
                    .arg(command.get_program());
                shell
            }
            None => Command::new(command.get_program()),
        };
        entered.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => entered.env(name, value),
                None => entered.env_remove(name),
            };
        }
        entered
    }

    /// The living processes of the site.
    fn members(&self) -> Result<Vec<Pid>> {
        let numbers: Vec<i32> = match &self.group {
            Some(group) => std::fs::read_to_string(group.join("cgroup.procs"))?
                .lines()
                .filter_map(|line| line.parse().ok())
                .collect(),
            None => working_below(&self.folder)?,
        };
        Ok(numbers.into_iter().filter_map(Pid::from_raw).collect())
    }

    fn signal_all(&self, signal: Signal) -> Result<()> {
        for process in self.members()? {
            match kill_process(process, signal) {
                // It ended meanwhile.
                Err(rustix::io::Errno::SRCH) | Ok(()) => {}
                Err(error) => return Err(error).context("cannot send a signal"),
            }
        }
        Ok(())
    }

    /// Stops all, and again those that came into being meanwhile.
    fn signal_until_all_stand(&self) -> Result<()> {
        let mut stopped = Vec::new();
        loop {
            self.signal_all(Signal::STOP)?;
            let members = self.members()?;
            if members == stopped {
                return Ok(());
            }
            stopped = members;
        }
    }
}

/// A program and its arguments, for errors. Not its environment, as `Debug` has it: the master key stands there.
pub(crate) fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Sends a signal to one process.
pub(crate) fn signal(process: Pid, signal: Signal) -> Result<()> {
    kill_process(process, signal).context("cannot send a signal")
}

/// The processes, zombies left out, whose working folder is below this one.
fn working_below(folder: &Path) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Other people's processes, and those that have just ended, cannot be read: they are not ours.
        if let Ok(place) = std::fs::read_link(entry.path().join("cwd"))
            && is_below(&place, folder)
        {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether a working folder is this folder or inside it; a removed one is shown with a word behind it.
fn is_below(place: &Path, folder: &Path) -> bool {
    place.starts_with(folder) || place.as_os_str() == removed(folder)
}

fn removed(folder: &Path) -> std::ffi::OsString {
    let mut name = folder.as_os_str().to_owned();
    name.push(OsStr::new(" (deleted)"));
    name
}

/// Whether an error says that something is not there.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_command_is_told_without_its_environment() {
        let mut command = Command::new("haechi");
        command
            .args(["migrate", "--json"])
            .env("HAECHI_MASTER_KEY", "secret");
        assert_eq!(words(&command), "haechi migrate --json");
    }

    /// Both ways of striking a site that this machine has.
    fn ways(folder: &Path) -> Vec<(Processes, Option<PathBuf>)> {
        let run = make_run_group(&format!("haechi-drill-test-{}", std::process::id()));
        let mut ways = vec![(Processes::new("walk", folder, None).unwrap(), None)];
        if let Some(run) = run {
            ways.push((Processes::new("group", folder, Some(&run)).unwrap(), Some(run)));
        }
        ways
    }

    fn state(process: u32) -> Option<String> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("State:"))?;
        Some(line.to_owned())
    }

    #[test]
    fn a_site_is_killed_with_the_children_that_left_their_parent() {
        let folder = tempfile::tempdir().unwrap();
        for (mut processes, run) in ways(folder.path()) {
            // The grandchild has a session of its own and an ended parent, as PostgreSQL under Patroni.
            let mut command = Command::new("sh");
            command.args(["-c", "(setsid sleep 600 & echo $! >grandchild); exec sleep 600"]);
            processes.start("parent", &command).unwrap();
            let file = folder.path().join("grandchild");
            while std::fs::read_to_string(&file).map_or(true, |text| !text.ends_with('\n')) {
                std::thread::sleep(LOOK_PAUSE);
            }
            let grandchild: u32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
            std::fs::remove_file(&file).unwrap();
            processes.kill().unwrap();
            assert!(state(grandchild).is_none_or(|state| state.contains('Z')));
            assert!(processes.process_id("parent").is_none());
            if let Some(run) = run {
                std::fs::remove_dir(run.join("group")).unwrap();
                std::fs::remove_dir(run).unwrap();
            }
        }
    }

    #[test]
    fn a_frozen_site_does_nothing_until_it_is_thawed() {
        let folder = tempfile::tempdir().unwrap();
        let ticks = folder.path().join("ticks");
        let count = || std::fs::metadata(&ticks).map_or(0, |metadata| metadata.len());
        let wait_for_more_than = |seen| {
            while count() <= seen {
                std::thread::sleep(LOOK_PAUSE);
            }
        };
        for (mut processes, run) in ways(folder.path()) {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do echo tick >>ticks; sleep 0.01; done"]);
            processes.start("clock", &command).unwrap();
            wait_for_more_than(count());
            processes.freeze().unwrap();
            let frozen_at = count();
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(count(), frozen_at);
            processes.thaw().unwrap();
            wait_for_more_than(frozen_at);
            processes.kill().unwrap();
            if let Some(run) = run {
                std::fs::remove_dir(run.join("group")).unwrap();
                std::fs::remove_dir(run).unwrap();
            }
        }
    }
}
