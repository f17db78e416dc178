// SPDX-License-Identifier: MPL-2.0
//! Limits of the system that a line can meet: threads, and watches of files. Each is told with what is used of it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What is left of a limit below which it is said to be near: a line of a few elements has as many threads.
const NEAR: u64 = 64;

/// Returns the limits with their names. A system that does not show one has no row for it.
pub fn facts() -> Vec<(&'static str, String)> {
    let own = own_processes();
    let threads = [by_user(&own), by_group()].into_iter().flatten().collect::<Vec<_>>();
    let mut facts = Vec::new();
    if !threads.is_empty() {
        facts.push(("threads", threads.join("; ")));
    }
    facts.extend(watches(&own).map(|text| ("inotify", text)));
    facts
}

/// Says how much of a limit is used, and what to raise where it is near.
fn used(used: u64, limit: u64, what: &str, raise: &str) -> String {
    let near = limit.saturating_sub(used) < NEAR;
    format!("{used} of {limit} {what}{}", if near { format!(" (near its limit: {raise})") } else { String::new() })
}

/// The folders in /proc of this user's processes.
fn own_processes() -> Vec<PathBuf> {
    let uid = fs::metadata("/proc/self").map(|m| m.uid()).ok();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_process =
        |path: &Path| path.file_name().is_some_and(|n| n.to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
    all.filter(|path| is_process(path) && fs::metadata(path).map(|m| m.uid()).ok() == uid).collect()
}

/// The threads of this user, which RLIMIT_NPROC limits. It does not hold for root.
fn by_user(own: &[PathBuf]) -> Option<String> {
    let limit = processes(&fs::read_to_string("/proc/self/limits").ok()?)?;
    if fs::metadata("/proc/self").ok()?.uid() == 0 {
        return None;
    }
    let count = own.iter().map(|p| fs::read_dir(p.join("task")).map_or(0, |tasks| tasks.count() as u64)).sum();
    Some(used(count, limit, "by user", "raise 'ulimit -u', or LimitNPROC= of the service"))
}

/// The soft limit of processes in the text of /proc/self/limits; `None` where there is none.
fn processes(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max processes")?.split_whitespace().next()?.parse().ok())
}

/// The threads of this process's control group, or of the one above it that has the least left.
fn by_group() -> Option<String> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let (base, path) = group(&own)?;
    let number = |folder: &Path, file| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    let folder = base.join(path);
    let up = folder.ancestors().take_while(|folder| folder.starts_with(&base));
    let all = up.filter_map(|folder| Some((number(folder, "pids.current")?, number(folder, "pids.max")?)));
    let (current, most) = all.min_by_key(|(current, most)| most.saturating_sub(*current))?;
    Some(used(current, most, "by control group", "raise TasksMax= of the service, or pids.max"))
}

/// Where control groups that count threads lie, and the own one in it, from the text of /proc/self/cgroup: the second
/// version of control groups, or the first.
fn group(own: &str) -> Option<(PathBuf, &str)> {
    let base = Path::new("/sys/fs/cgroup");
    let found = own.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|c| c == "pids").then(|| (base.join("pids"), path.trim_start_matches('/')))
    });
    found.or_else(|| own.lines().find_map(|line| Some((base.to_path_buf(), line.strip_prefix("0::/")?))))
}

/// The instances of inotify of this user, of which Andon takes one a process.
fn watches(own: &[PathBuf]) -> Option<String> {
    let limit =
        |name| fs::read_to_string(Path::new("/proc/sys/fs/inotify").join(name)).ok()?.trim().parse::<u64>().ok();
    let files = own.iter().flat_map(|p| fs::read_dir(p.join("fd")).into_iter().flatten().flatten());
    let taken =
        files.filter(|f| fs::read_link(f.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:inotify")).count();
    let raise = "raise fs.inotify.max_user_instances with sysctl";
    let instances = limit("max_user_instances")?;
    // Of instances there are fewer than of threads: the last few are near.
    let near = instances.saturating_sub(taken as u64) < 8;
    let warning = if near { format!(" (near its limit: {raise})") } else { String::new() };
    Some(format!("{taken} of {instances} instances by user{warning}, {} watches", limit("max_user_watches")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_with_what_is_used_and_what_to_raise_where_it_is_near() {
        assert_eq!(used(100, 4096, "by user", "raise it"), "100 of 4096 by user");
        assert_eq!(used(4090, 4096, "by user", "raise it"), "4090 of 4096 by user (near its limit: raise it)");
        assert_eq!(used(5000, 4096, "by user", "raise it"), "5000 of 4096 by user (near its limit: raise it)");
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max processes             94842                100000               processes\n";
        assert_eq!(processes(limits), Some(94842));
        let first = "3:cpu,cpuacct:/\n2:pids:/a/b\n0::/\n";
        assert_eq!(group(first), Some((PathBuf::from("/sys/fs/cgroup/pids"), "a/b")));
        assert_eq!(group("0::/a.slice/b\n"), Some((PathBuf::from("/sys/fs/cgroup"), "a.slice/b")));
        assert_eq!(processes("Max processes             unlimited            unlimited            processes\n"), None);
    }
}
