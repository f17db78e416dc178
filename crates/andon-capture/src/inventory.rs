// SPDX-License-Identifier: MPL-2.0
//! The captures in a folder, whoever wrote them, and which of them go to keep a quota: the oldest first, of the reason that
//! has used most.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    disk::{self, Disk},
    encode::Encoder,
    error::Error,
    quota::Quota,
    turn::Turn,
};

/// A sidecar of this age does not grow any more: results come late by seconds.
const GROWS_FOR: Duration = Duration::from_secs(60);

/// The captures of one reason, oldest first, each with its bytes.
#[derive(Debug, Default)]
struct Captures {
    oldest_first: BTreeMap<(SystemTime, Arc<str>), u64>,
    bytes: u64,
}

/// The captures in a folder, by the reason in their names.
#[derive(Debug)]
pub(crate) struct Inventory {
    folder: Arc<Path>,
    by_reason: BTreeMap<String, Captures>,
    /// When each image was written, by its name.
    written: HashMap<Arc<str>, SystemTime>,
    total: u64,
    /// How often the folder had changed by its turns, and when it last changed, as of the last look or change of our own.
    seen: Option<(Option<u64>, Option<SystemTime>)>,
}

impl Inventory {
    /// Begins the inventory of a folder, which is empty until the first [`Inventory::look`].
    pub(crate) fn new(folder: Arc<Path>) -> Self {
        Self { folder, by_reason: BTreeMap::new(), written: HashMap::new(), total: 0, seen: None }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Arc<Path> {
        &self.folder
    }

    /// Takes in what others have written and removed since the last look, if anything. Returns how many sidecars without
    /// their image were removed.
    pub(crate) fn look(&mut self, disk: &mut impl Disk, turn: Option<&Turn>) -> Result<u64, Error> {
        let now = (turn.map(Turn::changes), disk.changed(&self.folder));
        if self.seen == Some(now) && now.1.is_some() {
            return Ok(0);
        }
        self.list(disk).map_err(disk::at(&self.folder))?;
        let cleared = clear_lonely(disk, &self.folder, turn.is_some()).map_err(disk::at(&self.folder))?;
        // What was just removed is no change by others.
        self.seen = Some((now.0, if cleared > 0 { disk.changed(&self.folder) } else { now.1 }));
        Ok(cleared)
    }

    /// Notes that what changed in this turn is known here, and tells the other writers to look.
    pub(crate) fn end(&mut self, disk: &mut impl Disk, turn: Option<&mut Turn>) {
        let changes = turn.map(|turn| {
            turn.note_change();
            turn.changes()
        });
        self.seen = Some((changes, disk.changed(&self.folder)));
    }

    fn list(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        let names = disk.names(&self.folder)?;
        let there: HashSet<&str> = names.iter().map(|n| &**n).collect();
        let gone: Vec<_> = self.written.keys().filter(|name| !there.contains(&***name)).cloned().collect();
        gone.iter().for_each(|name| self.forget(name));
        let old = SystemTime::now() - GROWS_FOR;
        for name in names.iter().filter(|name| Encoder::is_image(Path::new(name))) {
            if self.written.get(&**name).is_some_and(|written| *written < old) {
                continue;
            }
            let image = self.folder.join(name);
            match disk.size_and_time(&image) {
                Ok((bytes, written)) => {
                    let sidecar = disk.size_and_time(&image.with_extension("json")).map_or(0, |(bytes, _)| bytes);
                    self.add(name, bytes + sidecar, written);
                }
                // Somebody who waits for no turn has removed it since.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Adds a capture by the name of its image, or changes its size: `bytes` with its sidecar.
    pub(crate) fn add(&mut self, name: &str, bytes: u64, written: SystemTime) {
        self.forget(name);
        let name: Arc<str> = name.into();
        self.total += bytes;
        let captures = self.by_reason.entry(reason(&name)).or_default();
        captures.bytes += bytes;
        captures.oldest_first.insert((written, name.clone()), bytes);
        self.written.insert(name, written);
    }

    /// Notes that a capture has so many more bytes: its sidecar has grown.
    pub(crate) fn grow(&mut self, name: &str, more: u64) {
        let Some((name, written)) = self.written.get_key_value(name).map(|(n, w)| (n.clone(), *w)) else { return };
        let bytes = self.by_reason.get(&reason(&name)).and_then(|c| c.oldest_first.get(&(written, name.clone())));
        let bytes = bytes.copied().unwrap_or_default();
        self.add(&name, bytes + more, written);
    }

    fn forget(&mut self, name: &str) {
        let Some((name, written)) = self.written.remove_entry(name) else { return };
        let reason = reason(&name);
        let Some(captures) = self.by_reason.get_mut(&reason) else { return };
        let bytes = captures.oldest_first.remove(&(written, name)).unwrap_or_default();
        captures.bytes -= bytes;
        self.total -= bytes;
        if captures.oldest_first.is_empty() {
            self.by_reason.remove(&reason);
        }
    }

    /// Removes captures until the folder keeps the quota with `bytes` more bytes. Returns how many were removed.
    pub(crate) fn make_room(
        &mut self,
        disk: &mut impl Disk,
        quota: Quota,
        bytes: u64,
        now: SystemTime,
    ) -> Result<u64, Error> {
        let mut removed = 0;
        while let Some(name) = self.too_old(quota, now).or_else(|| self.too_many(quota, bytes)) {
            let image = self.folder.join(&*name);
            // The image goes first: an image without a sidecar must never be there.
            for path in [image.clone(), image.with_extension("json")] {
                match disk.remove(&path) {
                    Err(e) if e.kind() != ErrorKind::NotFound => return Err(disk::at(&path)(e)),
                    _ => {}
                }
            }
            self.forget(&name);
            removed += 1;
        }
        Ok(removed)
    }

    /// When the oldest capture was written.
    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        self.by_reason.values().filter_map(|c| Some(c.oldest_first.first_key_value()?.0.0)).min()
    }

    /// Returns a capture that is too old.
    fn too_old(&self, quota: Quota, now: SystemTime) -> Option<Arc<str>> {
        let old = |written: &SystemTime| now.duration_since(*written).is_ok_and(|age| age > quota.max_age);
        let mut oldest = self.by_reason.values().filter_map(|c| c.oldest_first.first_key_value());
        let found = (quota.max_age > Duration::ZERO).then(|| oldest.find(|((written, _), _)| old(written))).flatten();
        found.map(|((_, name), _)| name.clone())
    }

    /// Returns the oldest capture of the reason that has used most, if all together have used too much.
    fn too_many(&self, quota: Quota, bytes: u64) -> Option<Arc<str>> {
        let over = quota.max_total > 0 && self.total > 0 && self.total + bytes > quota.max_total;
        let most = over.then(|| self.by_reason.values().max_by_key(|c| c.bytes)).flatten();
        most.and_then(|c| c.oldest_first.first_key_value()).map(|((_, name), _)| name.clone())
    }
}

/// Removes the sidecars of captures whose image is not there: a process was killed between the two. Without the turn another
/// process may be there at this moment, so that only those that are old enough go. Returns how many went.
pub(crate) fn clear_lonely(disk: &mut impl Disk, folder: &Path, has_turn: bool) -> io::Result<u64> {
    let names = disk.names(folder)?;
    let images = names.iter().filter(|name| Encoder::is_image(Path::new(name)));
    let images: HashSet<_> = images.filter_map(|name| name.rsplit_once('.')).map(|(stem, _)| stem).collect();
    let old = SystemTime::now() - GROWS_FOR;
    let mut cleared = 0;
    for name in &names {
        if !name.strip_suffix(".json").is_some_and(|stem| is_stem(stem) && !images.contains(stem)) {
            continue;
        }
        let path = folder.join(name);
        let is_abandoned = has_turn || disk.size_and_time(&path).is_ok_and(|(_, written)| written < old);
        cleared += u64::from(is_abandoned && disk.remove(&path).is_ok());
    }
    Ok(cleared)
}

/// Returns whether a name is one that captures get, RUN-FRAME-NUMBER-REASON, so that nothing of others is touched.
fn is_stem(stem: &str) -> bool {
    let parts: Vec<_> = stem.splitn(4, '-').collect();
    let [run, frame, number, reason] = parts[..] else { return false };
    let digits = |text: &str, least| text.len() >= least && text.bytes().all(|b| b.is_ascii_digit());
    run.len() == 32
        && run.bytes().all(|b| b.is_ascii_hexdigit())
        && digits(frame, 8)
        && digits(number, 6)
        && !reason.is_empty()
}

/// Fails if the disk of the folder has no room for `bytes` more bytes.
pub(crate) fn check_free(disk: &mut impl Disk, folder: &Path, quota: Quota, bytes: u64) -> Result<(), Error> {
    if quota.min_free == 0 {
        return Ok(());
    }
    let free = disk.free(folder).map_err(disk::at(folder))?;
    if free < quota.min_free.saturating_add(bytes) {
        let folder = folder.display().to_string();
        return Err(Error::NoRoom { folder, free, least: quota.min_free });
    }
    Ok(())
}

/// Returns the reason in a capture's name, RUN-FRAME-NUMBER-REASON.
fn reason(name: &str) -> String {
    let stem = PathBuf::from(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    stem.splitn(4, '-').nth(3).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalDisk;

    const HOUR: Duration = Duration::from_secs(3600);

    struct Rig {
        folder: tempfile::TempDir,
        inventory: Inventory,
        n: u32,
    }

    impl Rig {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let inventory = Inventory::new(folder.path().into());
            Self { folder, inventory, n: 0 }
        }

        /// Writes an image of 100 bytes, and its sidecar of 2.
        fn write(&mut self, reason: &str, age: Duration) -> PathBuf {
            let image = self.folder.path().join(format!("run-{:08}-{:06}-{reason}.png", self.n, self.n));
            self.n += 1;
            std::fs::write(&image, [0; 100]).unwrap();
            std::fs::File::open(&image).unwrap().set_modified(SystemTime::now() - age).unwrap();
            std::fs::write(image.with_extension("json"), "{}").unwrap();
            image
        }

        fn make_room(&mut self, quota: Quota) -> u64 {
            self.inventory.look(&mut LocalDisk, None).unwrap();
            let removed = self.inventory.make_room(&mut LocalDisk, quota, 102, SystemTime::now()).unwrap();
            self.inventory.end(&mut LocalDisk, None);
            removed
        }
    }

    #[test]
    fn the_oldest_of_the_largest_reason_go_first_with_their_sidecars() {
        let mut rig = Rig::new();
        let random: Vec<_> = (0..2).map(|n| rig.write("random", HOUR * (9 - n))).collect();
        let ng: Vec<_> = (0..6).map(|n| rig.write("ng", HOUR * (8 - n))).collect();
        assert_eq!(rig.make_room(Quota { max_total: 918, ..Quota::default() }), 0);
        assert_eq!(rig.make_room(Quota { max_total: 612, ..Quota::default() }), 3);
        assert!(random.iter().chain(&ng[3..]).all(|p| p.exists() && p.with_extension("json").exists()));
        assert!(ng[..3].iter().all(|p| !p.exists() && !p.with_extension("json").exists()));
    }

    #[test]
    fn captures_that_are_too_old_go_whatever_their_reason() {
        let mut rig = Rig::new();
        let old = [rig.write("random", 3 * HOUR), rig.write("ng", 3 * HOUR)];
        let young = rig.write("ng", HOUR);
        assert_eq!(rig.make_room(Quota { max_age: 2 * HOUR, ..Quota::default() }), 2);
        assert!(young.exists() && old.iter().all(|p| !p.exists()));
        let age = rig.inventory.oldest().unwrap().elapsed().unwrap();
        assert!(age >= HOUR && age < 2 * HOUR);
    }

    #[test]
    fn what_others_write_grow_and_remove_is_seen_at_the_next_look_and_files_that_are_not_ours_stay() {
        let mut rig = Rig::new();
        let written: Vec<_> = (0..4).map(|_| rig.write("my-own-reason", HOUR)).collect();
        std::fs::write(rig.folder.path().join("notes.txt"), "not ours").unwrap();
        std::fs::write(rig.folder.path().join(".hidden.png"), "not ours").unwrap();
        rig.make_room(Quota::default());
        assert_eq!((rig.inventory.total, rig.inventory.by_reason.len()), (408, 1), "images and sidecars");
        std::fs::remove_file(&written[0]).unwrap();
        let other = rig.write("ng", Duration::ZERO);
        rig.make_room(Quota::default());
        assert_eq!((rig.inventory.total, rig.inventory.by_reason.len()), (408, 2));
        std::fs::write(other.with_extension("json"), "{ }").unwrap();
        rig.inventory.seen = None;
        rig.make_room(Quota::default());
        assert_eq!(rig.inventory.total, 409, "a sidecar of a moment ago grows");
        rig.inventory.grow(other.file_name().unwrap().to_str().unwrap(), 5);
        assert_eq!(rig.make_room(Quota { max_total: 312, ..Quota::default() }), 2);
        assert!(rig.folder.path().join("notes.txt").exists() && rig.folder.path().join(".hidden.png").exists());
    }

    #[test]
    fn a_sidecar_that_a_killed_process_left_alone_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = "0123456789abcdef0123456789abcdef";
        let write = |name: &str, age: Duration| {
            let path = folder.path().join(name);
            std::fs::write(&path, "{}").unwrap();
            std::fs::File::open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
            path
        };
        let stem = |n: u32, reason: &str| format!("{run}-{n:08}-{n:06}-{reason}");
        let lonely =
            [write(&format!("{}.json", stem(1, "ng")), HOUR), write(&format!("{}.json", stem(2, "a-b")), HOUR)];
        let young = write(&format!("{}.json", stem(3, "ng")), Duration::ZERO);
        let whole = [write(&format!("{}.json", stem(4, "ng")), HOUR), write(&format!("{}.raw", stem(4, "ng")), HOUR)];
        let others = ["notes.json", "0123-00000001-000001-ng.json", "reference.json"].map(|name| write(name, HOUR));
        let clear = |has_turn| clear_lonely(&mut LocalDisk, folder.path(), has_turn).unwrap();
        assert_eq!((clear(false), lonely.iter().any(|p| p.exists()), young.exists()), (2, false, true));
        assert_eq!((clear(true), young.exists()), (1, false), "with the turn nobody else writes");
        assert!(whole.iter().chain(&others).all(|p| p.exists()));
    }

    #[test]
    fn a_disk_without_room_refuses_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let check = |min_free| {
            check_free(&mut LocalDisk, folder.path(), Quota { min_free, ..Quota::default() }, 100)
                .map_err(|e| e.to_string())
        };
        assert!(check(u64::MAX).unwrap_err().contains("min-free"));
        assert!(check(1).is_ok());
    }
}
