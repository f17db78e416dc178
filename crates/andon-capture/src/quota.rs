// SPDX-License-Identifier: MPL-2.0
//! How much a folder of captures may hold, for how long, and what the disk keeps free: the oldest go first, of the kind of
//! trigger that has taken most.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{Disk, Error, disk, encode::Encoder};

/// What there is room for; 0 stands for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of all captures in the folder.
    pub max_total: u64,
    /// How long a capture is kept.
    pub max_age: Duration,
    /// Bytes that the disk is to keep free.
    pub min_free: u64,
}

/// A capture in the folder.
#[derive(Clone, Debug)]
struct Kept {
    image: PathBuf,
    bytes: u64,
    written: SystemTime,
}

/// What a folder holds, by the reason in its names.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    strata: BTreeMap<String, VecDeque<Kept>>,
    total: u64,
}

impl Inventory {
    /// Looks a folder through.
    pub fn of(disk: &mut impl Disk, folder: &Path) -> Result<Self, Error> {
        let mut shelf = Self::default();
        let all = disk.list(folder).map_err(disk::at(folder))?;
        let (mut images, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(path, ..)| Encoder::is_image(path));
        let sidecars: HashMap<_, _> = others.into_iter().map(|(path, bytes, _)| (path, bytes)).collect();
        images.sort_by_key(|(_, _, written)| *written);
        for (image, bytes, written) in images {
            let sidecar = sidecars.get(&image.with_extension("json")).copied().unwrap_or_default();
            shelf.add(image, bytes + sidecar, written);
        }
        Ok(shelf)
    }

    /// A capture was written, of so many bytes with its sidecar.
    pub fn add(&mut self, image: PathBuf, bytes: u64, written: SystemTime) {
        self.total += bytes;
        self.strata.entry(reason(&image)).or_default().push_back(Kept { image, bytes, written });
    }

    /// Makes room for `bytes` more: answers how many captures had to go. An error where the disk itself has no room.
    pub fn make_room(
        &mut self,
        disk: &mut impl Disk,
        folder: &Path,
        quota: Quota,
        bytes: u64,
        now: SystemTime,
    ) -> Result<u64, Error> {
        let mut gone = 0;
        while let Some(stratum) = self.too_old(quota, now).or_else(|| self.too_large(quota, bytes)) {
            self.drop_oldest(disk, &stratum)?;
            gone += 1;
        }
        if quota.min_free > 0 {
            let free = disk.free(folder).map_err(disk::at(folder))?;
            if free < quota.min_free + bytes {
                let folder = folder.display().to_string();
                return Err(Error::NoRoom { folder, free, least: quota.min_free });
            }
        }
        Ok(gone)
    }

    fn too_old(&self, quota: Quota, now: SystemTime) -> Option<String> {
        let old = |k: &Kept| now.duration_since(k.written).is_ok_and(|age| age > quota.max_age);
        let mut old = self.strata.iter().filter(|(_, s)| s.front().is_some_and(old));
        (quota.max_age > Duration::ZERO).then(|| old.next().map(|(name, _)| name.clone())).flatten()
    }

    /// The kind that has taken most, where all together have taken too much.
    fn too_large(&self, quota: Quota, bytes: u64) -> Option<String> {
        let taken = |s: &VecDeque<Kept>| s.iter().map(|k| k.bytes).sum::<u64>();
        let over = quota.max_total > 0 && self.total > 0 && self.total + bytes > quota.max_total;
        over.then(|| self.strata.iter().max_by_key(|(_, s)| taken(s)).map(|(name, _)| name.clone())).flatten()
    }

    fn drop_oldest(&mut self, disk: &mut impl Disk, stratum: &str) -> Result<(), Error> {
        let Some(kept) = self.strata.get_mut(stratum).and_then(VecDeque::pop_front) else { return Ok(()) };
        if self.strata.get(stratum).is_some_and(VecDeque::is_empty) {
            self.strata.remove(stratum);
        }
        self.total = self.total.saturating_sub(kept.bytes);
        // The image first: one without a sidecar there must never be.
        for path in [kept.image.clone(), kept.image.with_extension("json")] {
            match disk.remove(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(disk::at(&path)(e)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The last piece of a capture's name: RUN-FRAME-NUMBER-REASON.
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
        shelf: Inventory,
        n: u32,
    }

    impl Rig {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), shelf: Inventory::default(), n: 0 }
        }

        fn write(&mut self, reason: &str, age: Duration) -> PathBuf {
            let image = self.folder.path().join(format!("run-{:08}-{:06}-{reason}.png", self.n, self.n));
            self.n += 1;
            std::fs::write(&image, [0; 100]).unwrap();
            std::fs::write(image.with_extension("json"), "{}").unwrap();
            self.shelf.add(image.clone(), 100, SystemTime::now() - age);
            image
        }

        fn make_room(&mut self, quota: Quota) -> Result<u64, Error> {
            self.shelf.make_room(&mut LocalDisk, self.folder.path(), quota, 100, SystemTime::now())
        }
    }

    #[test]
    fn the_oldest_of_the_largest_kind_go_first_with_their_sidecars() {
        let mut rig = Rig::new();
        let random: Vec<_> = (0..2).map(|_| rig.write("random", HOUR)).collect();
        let ng: Vec<_> = (0..6).map(|_| rig.write("ng", HOUR)).collect();
        assert_eq!(rig.make_room(Quota { max_total: 900, ..Quota::default() }).unwrap(), 0);
        assert_eq!(rig.make_room(Quota { max_total: 600, ..Quota::default() }).unwrap(), 3);
        assert!(random.iter().chain(&ng[3..]).all(|p| p.exists() && p.with_extension("json").exists()));
        assert!(ng[..3].iter().all(|p| !p.exists() && !p.with_extension("json").exists()));
    }

    #[test]
    fn what_is_too_old_goes_whatever_it_is() {
        let mut rig = Rig::new();
        let old = [rig.write("random", 3 * HOUR), rig.write("ng", 3 * HOUR)];
        let young = rig.write("ng", HOUR);
        assert_eq!(rig.make_room(Quota { max_age: 2 * HOUR, ..Quota::default() }).unwrap(), 2);
        assert!(young.exists() && old.iter().all(|p| !p.exists()));
    }

    #[test]
    fn a_folder_is_looked_through_and_what_somebody_else_removed_is_no_error() {
        let mut rig = Rig::new();
        let written: Vec<_> = (0..4).map(|_| rig.write("my-own-reason", HOUR)).collect();
        std::fs::write(rig.folder.path().join("notes.txt"), "not ours").unwrap();
        rig.shelf = Inventory::of(&mut LocalDisk, rig.folder.path()).unwrap();
        assert_eq!((rig.shelf.total, rig.shelf.strata.len()), (408, 1), "images and sidecars");
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
