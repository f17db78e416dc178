// SPDX-License-Identifier: MPL-2.0
//! The routing grid: it knows which nodes are taken, and routes traces over free nodes with bends of 45 degrees.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::shape::{Point, Shape};

/// The node may be used.
pub(crate) const FREE: u16 = 0;
/// The clearances of two owners overlap at the node, so that neither may use it.
const SHARED: u16 = u16::MAX;

/// The eight directions, neighbours in the list being 45 degrees apart.
const STEPS: [(i32, i32); 8] = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)];

/// A node of the grid: column, row.
pub(crate) type Node = (i32, i32);

/// The routing grid. Positions are in design units.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    /// Distance between neighbouring nodes.
    pub(crate) pitch: f32,
    /// Columns.
    pub(crate) nx: i32,
    /// Rows.
    pub(crate) ny: i32,
    owner: Vec<u16>,
}

impl Grid {
    /// Makes a free grid over `width` by `height` design units.
    pub(crate) fn new(width: f32, height: f32, pitch: f32) -> Self {
        let (nx, ny) = ((width / pitch) as i32, (height / pitch) as i32);
        Self { pitch, nx, ny, owner: vec![FREE; (nx * ny) as usize] }
    }

    /// Returns the position of a node.
    pub(crate) fn position(&self, (x, y): Node) -> Point {
        [(x as f32 + 0.5) * self.pitch, (y as f32 + 0.5) * self.pitch]
    }

    fn slot(&self, (x, y): Node) -> Option<usize> {
        (x >= 0 && y >= 0 && x < self.nx && y < self.ny).then(|| (y * self.nx + x) as usize)
    }

    fn nodes_near(&self, shape: &Shape, reach: f32) -> Vec<usize> {
        let (low, high) = shape.bounds();
        let first = |v: f32| ((v - reach) / self.pitch - 0.5).floor() as i32;
        let last = |v: f32| ((v + reach) / self.pitch - 0.5).ceil() as i32;
        let mut near = Vec::new();
        for y in first(low[1])..=last(high[1]) {
            for x in first(low[0])..=last(high[0]) {
                if let Some(slot) = self.slot((x, y))
                    && shape.distance(self.position((x, y))) < reach
                {
                    near.push(slot);
                }
            }
        }
        near
    }

    /// Returns whether every node within `reach` of `shape` is free.
    pub(crate) fn fits(&self, shape: &Shape, reach: f32) -> bool {
        self.nodes_near(shape, reach).iter().all(|&slot| self.owner[slot] == FREE)
    }

    /// Takes the nodes within `reach` of `shape` for `owner`.
    pub(crate) fn take(&mut self, shape: &Shape, reach: f32, owner: u16) {
        for slot in self.nodes_near(shape, reach) {
            let was = self.owner[slot];
            self.owner[slot] = if was == FREE || was == owner { owner } else { SHARED };
        }
    }

    fn open_to(&self, node: Node, owners: [u16; 2]) -> bool {
        self.slot(node).is_some_and(|slot| {
            let owner = self.owner[slot];
            owner == FREE || owners.contains(&owner)
        })
    }

    fn open_wide(&self, node: Node, owners: [u16; 2], wide: bool) -> bool {
        self.open_to(node, owners)
            && (!wide
                || STEPS.iter().all(|(dx, dy)| {
                    let next = (node.0 + dx, node.1 + dy);
                    self.slot(next).is_none() || self.open_to(next, owners)
                }))
    }

    /// Returns the cheapest path from `start` to `goal` over nodes that are free or belong to `owners`, as its corners, ends
    /// included. Bends have a cost; a `wide` path needs free nodes on both sides. (A* over node and direction.)
    pub(crate) fn route(&self, start: Node, goal: Node, owners: [u16; 2], wide: bool) -> Option<Vec<Node>> {
        self.slot(start)?;
        let goal_slot = self.slot(goal)?;
        let guess = |node: Node| {
            let (dx, dy) = ((node.0 - goal.0).abs(), (node.1 - goal.1).abs());
            10 * dx.max(dy) + 4 * dx.min(dy)
        };
        let states = self.owner.len() * 8;
        let mut cost = vec![i32::MAX; states];
        let mut from = vec![u32::MAX; states];
        let mut queue = BinaryHeap::new();
        let first = self.slot(start)?;
        for dir in 0..8 {
            cost[first * 8 + dir] = 0;
            queue.push(Reverse((guess(start), first * 8 + dir)));
        }
        while let Some(Reverse((_, state))) = queue.pop() {
            let (slot, dir) = (state / 8, state % 8);
            if slot == goal_slot {
                return Some(self.corners(&from, state));
            }
            let node = (slot as i32 % self.nx, slot as i32 / self.nx);
            for turn in [0i32, 1, -1, 2, -2] {
                let next_dir = (dir as i32 + turn).rem_euclid(8) as usize;
                let (dx, dy) = STEPS[next_dir];
                let next = (node.0 + dx, node.1 + dy);
                let Some(next_slot) = self.slot(next) else {
                    continue;
                };
                if !self.open_wide(next, owners, wide) {
                    continue;
                }
                let diagonal = dx != 0 && dy != 0;
                // A diagonal step passes between two nodes, which both have to be free.
                if diagonal
                    && !(self.open_to((node.0 + dx, node.1), owners) && self.open_to((node.0, node.1 + dy), owners))
                {
                    continue;
                }
                let bend = [0, 6, 25][turn.unsigned_abs() as usize];
                let total = cost[state] + if diagonal { 14 } else { 10 } + bend;
                let next_state = next_slot * 8 + next_dir;
                if total < cost[next_state] {
                    cost[next_state] = total;
                    from[next_state] = state as u32;
                    queue.push(Reverse((total + guess(next), next_state)));
                }
            }
        }
        None
    }

    fn corners(&self, from: &[u32], end: usize) -> Vec<Node> {
        let mut path = Vec::new();
        let mut state = end;
        loop {
            let slot = (state / 8) as i32;
            path.push((slot % self.nx, slot / self.nx));
            if from[state] == u32::MAX {
                break;
            }
            state = from[state] as usize;
        }
        path.reverse();
        let straight = |a: Node, b: Node, c: Node| (b.0 - a.0, b.1 - a.1) == (c.0 - b.0, c.1 - b.1);
        let mut corners: Vec<Node> = Vec::new();
        for i in 0..path.len() {
            let inner = i > 0 && i + 1 < path.len();
            if !(inner && straight(path[i - 1], path[i], path[i + 1])) {
                corners.push(path[i]);
            }
        }
        corners
    }
}
