//! Simulates what a power failure may leave on a disk. The operations on the file system are recorded while
//! something is written, and are then replayed as a file system may have written them to the disk: only in
//! part, and in another order.
//!
//! The rules are those that programs may rely on (POSIX, and what Linux documents). The content of a file is on
//! the disk after the file was synced; before that, any part of it may be. A name that was added to a folder,
//! moved or removed is so on the disk after the folder was synced; before that, it may be so or not,
//! independently of the operations before and after it. A rename is never done by half.

mod tests;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// One operation, with the paths that it was called with.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Create(PathBuf),
    CreateFolder(PathBuf),
    /// The content of the file when it was synced comes with the path.
    SyncFile(PathBuf, Vec<u8>),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Exchange(PathBuf, PathBuf),
    Remove(PathBuf),
}

thread_local! {
    static JOURNAL: RefCell<Option<Vec<Operation>>> = const { RefCell::new(None) };
}

/// Adds an operation to the record of this thread, if there is one.
pub(crate) fn note(operation: impl FnOnce() -> Operation) {
    JOURNAL.with_borrow_mut(|journal| {
        if let Some(journal) = journal {
            journal.push(operation());
        }
    });
}

/// The number of a file or a folder, which does not depend on its names.
type Inode = usize;

/// A simulated disk: the names in its folders, and the contents of its files.
#[derive(Debug, Clone, Default)]
struct Disk {
    folders: BTreeMap<Inode, BTreeMap<OsString, Inode>>,
    files: BTreeMap<Inode, Vec<u8>>,
}

/// A change of names, which is done completely or not at all.
#[derive(Debug)]
struct Change {
    /// The index of the operation that made the change.
    at: usize,
    /// The names that must lead to these inodes for the change to be possible.
    needs: Vec<(Inode, OsString, Inode)>,
    /// The names that change, with their new inodes; none for a name that is removed.
    sets: Vec<(Inode, OsString, Option<Inode>)>,
}

/// A recording: the disk before the first operation, and the operations.
struct Recording {
    before: Disk,
    changes: Vec<Change>,
    /// The index of each sync of a file, and the content of the file then.
    file_syncs: Vec<(usize, Inode, Vec<u8>)>,
    folder_syncs: Vec<(usize, Inode)>,
    /// The number of operations.
    end: usize,
}

const ROOT: Inode = 0;

impl Disk {
    /// A simulated disk with everything below a real folder.
    fn read(folder: &Path) -> Self {
        let mut disk = Self::default();
        disk.folders.insert(ROOT, BTreeMap::new());
        disk.read_into(folder, ROOT);
        disk
    }

    fn read_into(&mut self, folder: &Path, inode: Inode) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = (!path.is_dir()).then(|| std::fs::read(&path).unwrap());
            let inner = self.add(bytes);
            if path.is_dir() {
                self.read_into(&path, inner);
            }
            let name = path.file_name().unwrap().to_owned();
            self.folders.get_mut(&inode).unwrap().insert(name, inner);
        }
    }

    /// Adds a new file with this content, or a new folder if there is none.
    fn add(&mut self, bytes: Option<Vec<u8>>) -> Inode {
        let inode = self.folders.len() + self.files.len();
        match bytes {
            Some(bytes) => drop(self.files.insert(inode, bytes)),
            None => drop(self.folders.insert(inode, BTreeMap::new())),
        }
        inode
    }

    fn find(&self, path: &Path) -> Option<Inode> {
        path.iter().try_fold(ROOT, |folder, name| self.folders.get(&folder)?.get(name).copied())
    }

    /// The folder that contains a path, and the path's name in it.
    fn place(&self, path: &Path) -> (Inode, OsString) {
        (self.find(path.parent().unwrap()).unwrap(), path.file_name().unwrap().to_owned())
    }

    fn apply(&mut self, change: &Change) {
        for (folder, name, inode) in &change.sets {
            let names = self.folders.get_mut(folder).unwrap();
            match inode {
                Some(inode) => drop(names.insert(name.clone(), *inode)),
                None => drop(names.remove(name)),
            }
        }
    }

    fn can(&self, change: &Change) -> bool {
        change
            .needs
            .iter()
            .all(|(folder, name, inode)| self.folders[folder].get(name) == Some(inode))
    }

    fn write(&self, folder: &Path, inode: Inode) {
        for (name, inner) in &self.folders[&inode] {
            let path = folder.join(name);
            if let Some(bytes) = self.files.get(inner) {
                std::fs::write(path, bytes).unwrap();
            } else {
                std::fs::create_dir(&path).unwrap();
                self.write(&path, *inner);
            }
        }
    }
}

impl Recording {
    /// Records the operations of `work` below a folder.
    fn of(root: &Path, work: impl FnOnce()) -> Self {
        let before = Disk::read(root);
        JOURNAL.set(Some(Vec::new()));
        work();
        let operations = JOURNAL.take().unwrap();
        let mut recording = Self {
            before: before.clone(),
            changes: Vec::new(),
            file_syncs: Vec::new(),
            folder_syncs: Vec::new(),
            end: operations.len(),
        };
        let mut disk = before;
        let below = |path: &Path| path.strip_prefix(root).unwrap().to_owned();
        for (at, operation) in operations.into_iter().enumerate() {
            recording.add(at, operation, &mut disk, below);
        }
        // Files and folders that are created later are empty on the disk before.
        recording.before.files = disk
            .files
            .keys()
            .map(|&inode| (inode, recording.before.files.get(&inode).cloned().unwrap_or_default()))
            .collect();
        for inode in disk.folders.keys() {
            recording.before.folders.entry(*inode).or_default();
        }
        recording
    }

    fn add(
        &mut self,
        at: usize,
        operation: Operation,
        disk: &mut Disk,
        below: impl Fn(&Path) -> PathBuf,
    ) {
        match operation {
            Operation::Create(path) => drop(self.link(at, disk, &below(&path), Some(Vec::new()))),
            Operation::CreateFolder(path) => drop(self.link(at, disk, &below(&path), None)),
            Operation::SyncFile(path, bytes) => {
                let path = below(&path);
                // Files that a caller wrote into a new folder were not recorded when they were created, so they
                // are added here.
                let found = disk.find(&path);
                let inode = found.unwrap_or_else(|| self.link(at, disk, &path, Some(Vec::new())));
                self.file_syncs.push((at, inode, bytes));
            }
            Operation::SyncFolder(path) => {
                let inode = disk.find(&below(&path)).unwrap();
                self.folder_syncs.push((at, inode));
            }
            Operation::Rename(from, to) => {
                let [from, to] = [below(&from), below(&to)];
                let inode = disk.find(&from).unwrap();
                let ((old, old_name), (new, new_name)) = (disk.place(&from), disk.place(&to));
                let needs = vec![(old, old_name.clone(), inode)];
                let sets = vec![(old, old_name, None), (new, new_name, Some(inode))];
                self.change(disk, Change { at, needs, sets });
            }
            Operation::Exchange(one, two) => {
                let [one, two] = [below(&one), below(&two)].map(|path| {
                    let (folder, name) = disk.place(&path);
                    (folder, name, disk.find(&path).unwrap())
                });
                let sets =
                    vec![(one.0, one.1.clone(), Some(two.2)), (two.0, two.1.clone(), Some(one.2))];
                self.change(disk, Change { at, needs: vec![one, two], sets });
            }
            Operation::Remove(path) => self.remove(at, disk, &below(&path)),
        }
    }

    fn link(&mut self, at: usize, disk: &mut Disk, path: &Path, bytes: Option<Vec<u8>>) -> Inode {
        let inode = disk.add(bytes);
        let (folder, name) = disk.place(path);
        self.change(
            disk,
            Change { at, needs: Vec::new(), sets: vec![(folder, name, Some(inode))] },
        );
        inode
    }

    /// Removes a file or a folder. The names in a folder are removed one by one, in any order with the folder
    /// itself.
    fn remove(&mut self, at: usize, disk: &mut Disk, path: &Path) {
        let inode = disk.find(path).unwrap();
        if let Some(names) = disk.folders.get(&inode).cloned() {
            for name in names.keys() {
                self.remove(at, disk, &path.join(name));
            }
        }
        let (folder, name) = disk.place(path);
        let needs = vec![(folder, name.clone(), inode)];
        self.change(disk, Change { at, needs, sets: vec![(folder, name, None)] });
    }

    fn change(&mut self, disk: &mut Disk, change: Change) {
        disk.apply(&change);
        self.changes.push(change);
    }

    /// A disk that may be left when the power fails just before the operation `when`.
    fn crash(&self, when: usize, rng: &mut impl Rng) -> Disk {
        let mut disk = self.before.clone();
        for change in self.changes.iter().filter(|change| change.at < when) {
            let synced = |&(folder, _, _): &(Inode, OsString, Option<Inode>)| {
                let mut syncs = self.folder_syncs.iter();
                syncs.any(|&(at, inode)| inode == folder && change.at < at && at < when)
            };
            let is_sure =
                change.sets.iter().map(|set| (set.0, set.1.clone(), set.2)).all(|set| synced(&set));
            if (is_sure || rng.random::<bool>()) && disk.can(change) {
                disk.apply(change);
            }
        }
        for (&inode, bytes) in &mut disk.files {
            let mut syncs = self.file_syncs.iter().filter(|sync| sync.1 == inode);
            if let Some((.., held)) = syncs.clone().rfind(|sync| sync.0 < when) {
                bytes.clone_from(held);
            }
            if let Some((.., next)) = syncs.find(|sync| sync.0 >= when) {
                // Bytes at the start that stay the same are there in any case; of the others, any part may be.
                let same = bytes.iter().zip(next).take_while(|(a, b)| a == b).count();
                if rng.random::<bool>() {
                    let length = rng.random_range(same..=next.len());
                    *bytes = next[..length].to_vec();
                }
            }
        }
        disk
    }

    /// Replays a power failure at every operation, many times each, and calls `check` on what is left. Returns
    /// how often `check` was true, and how often it was called.
    fn replay(&self, check: impl Fn(&Path) -> bool) -> (usize, usize) {
        const TIMES: u64 = 60;
        let (mut yes, mut all) = (0, 0);
        for when in 0..=self.end {
            for time in 0..TIMES {
                let mut rng = ChaCha8Rng::seed_from_u64(when as u64 * TIMES + time);
                let place = tempfile::tempdir().unwrap();
                self.crash(when, &mut rng).write(place.path(), ROOT);
                yes += usize::from(check(place.path()));
                all += 1;
            }
        }
        (yes, all)
    }
}
