// SPDX-License-Identifier: MPL-2.0
//! A frame that can be changed, and the series that frames come from: YUV4MPEG2 files and made scenes.

use std::{
    fs::File,
    io::{BufRead, BufReader, Error, ErrorKind, Result},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use andon_boards::scene::{Design, Scene};
use andon_core::image::{Colorimetry, Format, Image, Plane};

/// A frame of bytes: grey, of full range, or I420, of video range.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Pixels per row, and rows.
    pub size: [usize; 2],
    /// Luma, row by row.
    pub luma: Vec<u8>,
    /// Cb and Cr, each of half the width and half the height, rounded up. None of a grey frame.
    pub chroma: Option<[Vec<u8>; 2]>,
}

impl Frame {
    /// Makes a black frame.
    pub fn new(size: [usize; 2], grey: bool) -> Self {
        let [w, h] = size;
        let plane = || vec![128; w.div_ceil(2) * h.div_ceil(2)];
        Self { size, luma: vec![if grey { 0 } else { 16 }; w * h], chroma: (!grey).then(|| [plane(), plane()]) }
    }

    /// The frame as the meter reads it.
    pub fn image(&self) -> Image<'_> {
        let [w, h] = self.size;
        let luma = Plane { data: &self.luma, stride: w };
        let image = match &self.chroma {
            None => Image::gray8(&self.luma, w, h),
            Some([u, v]) => {
                let [u, v] = [u, v].map(|data| Plane { data, stride: w.div_ceil(2) });
                Image::new(Format::I420, w, h, &[luma, u, v], Colorimetry::default())
            }
        };
        image.expect("the planes fill the frame")
    }

    /// The luma of black and of white.
    pub fn range(&self) -> [f32; 2] {
        if self.chroma.is_some() { [16.0, 235.0] } else { [0.0, 255.0] }
    }

    /// Copies another frame, resized to the nearest pixel, into this one. What has no colour becomes grey.
    pub fn show(&mut self, other: &Frame) {
        let [w, h] = self.size;
        let nearest = |to: &mut [u8], from: &[u8], [w, h]: [usize; 2], [ow, oh]: [usize; 2]| {
            for (y, row) in to.chunks_exact_mut(w).enumerate() {
                let line = &from[y * oh / h * ow..][..ow];
                row.iter_mut().enumerate().for_each(|(x, v)| *v = line[x * ow / w]);
            }
        };
        nearest(&mut self.luma, &other.luma, [w, h], other.size);
        let ([black, white], [low, high]) = (self.range(), other.range());
        let scale = (white - black) / (high - low);
        self.luma.iter_mut().for_each(|v| *v = (black + (f32::from(*v) - low) * scale).round() as u8);
        let half = |size: [usize; 2]| size.map(|side| side.div_ceil(2));
        for (i, plane) in self.chroma.iter_mut().flatten().enumerate() {
            match &other.chroma {
                Some(from) => nearest(plane, &from[i], half([w, h]), half(other.size)),
                None => plane.fill(128),
            }
        }
    }
}

/// Where frames come from, one after the other.
pub trait Source {
    /// The name in tables.
    fn name(&self) -> &str;
    /// Frames per second.
    fn rate(&self) -> f64;
    /// The size of a frame, and whether it is grey.
    fn shape(&self) -> ([usize; 2], bool);
    /// The number of frames before the series repeats. None if it never does.
    fn length(&self) -> Option<u64>;
    /// Goes back to the first frame.
    fn rewind(&mut self);
    /// Writes the next frame. A recording that is at its end begins anew, or goes back as it came.
    fn next(&mut self, frame: &mut Frame);
}

/// How a recording goes on after its last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// From the first frame on. The scene jumps once a round.
    Loop,
    /// Backwards, then forwards again.
    Mirror,
}

/// A YUV4MPEG2 file of 4:2:0 or of grey.
pub struct Recording {
    name: String,
    file: File,
    rate: f64,
    size: [usize; 2],
    grey: bool,
    /// Where the first frame begins, and the bytes of one, with its header line.
    begins: u64,
    bytes: u64,
    frames: u64,
    next: u64,
    /// The first frame of a round.
    start: u64,
    again: Again,
}

/// The line before every frame.
const FRAME: u64 = "FRAME\n".len() as u64;

impl Recording {
    /// Opens a file, to be played from frame `start` on.
    pub fn open(path: &Path, start: u64, again: Again) -> Result<Self> {
        let wrong = |what: &str| Error::new(ErrorKind::InvalidData, format!("{}: {what}", path.display()));
        let file = File::open(path)?;
        let mut head = Vec::new();
        BufReader::new(&file).read_until(b'\n', &mut head)?;
        let begins = head.len() as u64;
        let head = String::from_utf8_lossy(&head).trim_end().replace('\0', "");
        let mut words = head.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(wrong("is no YUV4MPEG2 file: decode it by scripts/drift-series"));
        }
        let (mut size, mut rate, mut grey) = ([0, 0], 30.0, false);
        for word in words.filter(|w| w.len() > 1) {
            let (key, value) = word.split_at(1);
            match key {
                "W" => size[0] = value.parse().map_err(|_| wrong("its width is no number"))?,
                "H" => size[1] = value.parse().map_err(|_| wrong("its height is no number"))?,
                "F" => {
                    let (n, d) = value.split_once(':').ok_or_else(|| wrong("its rate is no fraction"))?;
                    let number = |text: &str| text.parse::<f64>().map_err(|_| wrong("its rate is no fraction"));
                    rate = number(n)? / number(d)?;
                }
                "C" if value.starts_with("mono") => grey = true,
                "C" if !value.starts_with("420") => return Err(wrong("is neither 4:2:0 nor grey")),
                _ => {}
            }
        }
        let frame = Frame::new(size, grey);
        let chroma: usize = frame.chroma.iter().flatten().map(Vec::len).sum();
        let bytes = FRAME + (frame.luma.len() + chroma) as u64;
        let all = file.metadata()?.len() - begins;
        if !all.is_multiple_of(bytes) {
            return Err(wrong(&format!("its {all} bytes are no whole number of frames of {bytes}")));
        }
        let frames = all / bytes;
        if frames < 2 || start + 1 >= frames {
            return Err(wrong(&format!("has {frames} frames, and is to begin with frame {start}")));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Animations say 0 or nonsense.
        let rate = if (0.5..1000.0).contains(&rate) { rate } else { 15.0 };
        Ok(Self { name, file, rate, size, grey, begins, bytes, frames, next: 0, start, again })
    }
}

impl Source for Recording {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn shape(&self) -> ([usize; 2], bool) {
        (self.size, self.grey)
    }

    fn length(&self) -> Option<u64> {
        Some(self.frames - self.start)
    }

    fn rewind(&mut self) {
        self.next = 0;
    }

    fn next(&mut self, frame: &mut Frame) {
        let length = self.frames - self.start;
        let at = match self.again {
            Again::Loop => self.next % length,
            Again::Mirror => {
                let at = self.next % (2 * length - 2);
                at.min(2 * length - 2 - at)
            }
        };
        self.next += 1;
        let mut from = self.begins + (self.start + at) * self.bytes + FRAME;
        for plane in [&mut frame.luma].into_iter().chain(frame.chroma.iter_mut().flatten()) {
            self.file.read_exact_at(plane, from).expect("the file keeps its length");
            from += plane.len() as u64;
        }
    }
}

/// A made scene.
pub struct Made {
    design: &'static Design,
    seed: u64,
    scene: Scene,
}

impl Made {
    /// Makes a scene.
    pub fn new(design: &'static Design, seed: u64) -> Self {
        Self { design, seed, scene: Scene::new(design, seed) }
    }
}

impl Source for Made {
    fn name(&self) -> &str {
        self.design.name
    }

    fn rate(&self) -> f64 {
        self.design.rate
    }

    fn shape(&self) -> ([usize; 2], bool) {
        (self.design.size, self.design.grey)
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn rewind(&mut self) {
        self.scene = Scene::new(self.design, self.seed);
    }

    fn next(&mut self, frame: &mut Frame) {
        let chroma = frame.chroma.as_mut().map(|[u, v]| [u.as_mut_slice(), v.as_mut_slice()]);
        self.scene.next(&mut frame.luma, chroma);
    }
}

/// All YUV4MPEG2 files among paths and in folders.
pub fn files(paths: &[String]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths.iter().map(PathBuf::from) {
        if path.is_dir() {
            let mut all = path.read_dir()?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
            all.retain(|p| p.extension().is_some_and(|e| e == "y4m"));
            all.sort();
            found.extend(all);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
