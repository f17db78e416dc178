// SPDX-License-Identifier: MPL-2.0
//! The quota of a folder of captures: how much it may hold, for how long, and how much the disk keeps free. The oldest
//! captures go first, of the reason that has used most.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    disk::{self, Disk},
    encode::Encoder,
    error::Error,
};

/// Bounds of a folder; 0 stands for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Most bytes of all captures in the folder.
    pub max_total: u64,
    /// How long a capture is kept.
    pub max_age: Duration,
    /// Bytes that the disk keeps free.
    pub min_free: u64,
}

/// A capture in the folder.
#[derive(Clone, Debug)]
struct Stored {
    image: PathBuf,
    bytes: u64,
    written: SystemTime,
}

/// The captures in a folder, by the reason in their names, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    by_reason: BTreeMap<String, VecDeque<Stored>>,
    total: u64,
}

impl Inventory {
    /// Searches a folder for captures.
    pub(crate) fn of(disk: &mut impl Disk, folder: &Path) -> Result<Self, Error> {
        let mut inventory = Self::default();
        let all = disk.list(folder).map_err(disk::at(folder))?;
        let (mut images, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(path, ..)| Encoder::is_image(path));
        let sidecars: HashMap<_, _> = others.into_iter().map(|(path, bytes, _)| (path, bytes)).collect();
        images.sort_by_key(|(_, _, written)| *written);
        for (image, bytes, written) in images {
            let sidecar = sidecars.get(&image.with_extension("json")).copied().unwrap_or_default();
            inventory.add(image, bytes + sidecar, written);
        }
        Ok(inventory)
    }

    /// Adds a capture of `bytes` bytes, its sidecar included.
    pub(crate) fn add(&mut self, image: PathBuf, bytes: u64, written: SystemTime) {
        self.total += bytes;
        self.by_reason.entry(reason(&image)).or_default().push_back(Stored { image, bytes, written });
    }

    /// Makes room for `bytes` more bytes. Returns the number of captures removed, or an error if the disk lacks the room.
    pub(crate) fn make_room(
        &mut self,
        disk: &mut impl Disk,
        folder: &Path,
        quota: Quota,
        bytes: u64,
        now: SystemTime,
    ) -> Result<u64, Error> {
        let mut removed = 0;
        while let Some(reason) = self.too_old(quota, now).or_else(|| self.too_large(quota, bytes)) {
            self.remove_oldest(disk, &reason)?;
            removed += 1;
        }
        if quota.min_free > 0 {
            let free = disk.free(folder).map_err(disk::at(folder))?;
            if free < quota.min_free + bytes {
                let folder = folder.display().to_string();
                return Err(Error::NoRoom { folder, free, least: quota.min_free });
            }
        }
        Ok(removed)
    }

    /// Returns a reason whose oldest capture is too old.
    fn too_old(&self, quota: Quota, now: SystemTime) -> Option<String> {
        let old = |s: &Stored| now.duration_since(s.written).is_ok_and(|age| age > quota.max_age);
        let mut old = self.by_reason.iter().filter(|(_, all)| all.front().is_some_and(old));
        (quota.max_age > Duration::ZERO).then(|| old.next().map(|(name, _)| name.clone())).flatten()
    }

    /// Returns the reason that has used most, if all together have used too much.
    fn too_large(&self, quota: Quota, bytes: u64) -> Option<String> {
        let used = |all: &VecDeque<Stored>| all.iter().map(|s| s.bytes).sum::<u64>();
        let over = quota.max_total > 0 && self.total > 0 && self.total + bytes > quota.max_total;
        over.then(|| self.by_reason.iter().max_by_key(|(_, all)| used(all)).map(|(name, _)| name.clone())).flatten()
    }

    fn remove_oldest(&mut self, disk: &mut impl Disk, reason: &str) -> Result<(), Error> {
        let Some(stored) = self.by_reason.get_mut(reason).and_then(VecDeque::pop_front) else { return Ok(()) };
        if self.by_reason.get(reason).is_some_and(VecDeque::is_empty) {
            self.by_reason.remove(reason);
        }
        self.total = self.total.saturating_sub(stored.bytes);
        // The image goes first: an image without a sidecar must never be there.
        for path in [stored.image.clone(), stored.image.with_extension("json")] {
            match disk.remove(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(disk::at(&path)(e)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns the reason in a capture's name, RUN-FRAME-NUMBER-REASON.
fn reason(image: &Path) -> String {
    let stem = image.file_stem().unwrap_or_default().to_string_lossy();
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
            Self { folder: tempfile::tempdir().unwrap(), inventory: Inventory::default(), n: 0 }
        }

        fn write(&mut self, reason: &str, age: Duration) -> PathBuf {
            let image = self.folder.path().join(format!("run-{:08}-{:06}-{reason}.png", self.n, self.n));
            self.n += 1;
            std::fs::write(&image, [0; 100]).unwrap();
            std::fs::write(image.with_extension("json"), "{}").unwrap();
            self.inventory.add(image.clone(), 100, SystemTime::now() - age);
            image
        }

        fn make_room(&mut self, quota: Quota) -> Result<u64, Error> {
            self.inventory.make_room(&mut LocalDisk, self.folder.path(), quota, 100, SystemTime::now())
        }
    }

    #[test]
    fn the_oldest_of_the_largest_reason_go_first_with_their_sidecars() {
        let mut rig = Rig::new();
        let random: Vec<_> = (0..2).map(|_| rig.write("random", HOUR)).collect();
        let ng: Vec<_> = (0..6).map(|_| rig.write("ng", HOUR)).collect();
        assert_eq!(rig.make_room(Quota { max_total: 900, ..Quota::default() }).unwrap(), 0);
        assert_eq!(rig.make_room(Quota { max_total: 600, ..Quota::default() }).unwrap(), 3);
        assert!(random.iter().chain(&ng[3..]).all(|p| p.exists() && p.with_extension("json").exists()));
        assert!(ng[..3].iter().all(|p| !p.exists() && !p.with_extension("json").exists()));
    }

    #[test]
    fn captures_that_are_too_old_go_whatever_their_reason() {
        let mut rig = Rig::new();
        let old = [rig.write("random", 3 * HOUR), rig.write("ng", 3 * HOUR)];
        let young = rig.write("ng", HOUR);
        assert_eq!(rig.make_room(Quota { max_age: 2 * HOUR, ..Quota::default() }).unwrap(), 2);
        assert!(young.exists() && old.iter().all(|p| !p.exists()));
    }

    #[test]
    fn a_folder_is_searched_and_files_that_are_gone_already_are_no_error() {
        let mut rig = Rig::new();
        let written: Vec<_> = (0..4).map(|_| rig.write("my-own-reason", HOUR)).collect();
        std::fs::write(rig.folder.path().join("notes.txt"), "not ours").unwrap();
        rig.inventory = Inventory::of(&mut LocalDisk, rig.folder.path()).unwrap();
        assert_eq!((rig.inventory.total, rig.inventory.by_reason.len()), (408, 1), "images and sidecars");
        std::fs::remove_file(&written[0]).unwrap();
        assert_eq!(rig.make_room(Quota { max_total: 310, ..Quota::default() }).unwrap(), 2);
        assert!(rig.folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_disk_without_room_refuses_with_what_to_do() {
        let mut rig = Rig::new();
        let error = rig.make_room(Quota { min_free: u64::MAX / 2, ..Quota::default() }).unwrap_err().to_string();
        assert!(error.contains("min-free"), "{error}");
        assert!(rig.make_room(Quota { min_free: 1, ..Quota::default() }).is_ok());
    }
}
