// SPDX-License-Identifier: MPL-2.0
//! What is to be kept of the frames to come: the requests under way, and the tag that each gives to a frame.

use std::sync::Arc;

use super::{Role, Tag, Trigger};

/// A request whose frames are still to come.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub kind: Trigger,
    pub reason: Arc<str>,
    /// Frames that are meant, still to come.
    pub hits: u32,
    /// Frames after them, still to come.
    pub post: u32,
    /// Of the next frame.
    pub offset: i64,
}

/// All requests under way.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pending: Vec<Pending>,
}

impl Plan {
    /// Takes on a request. Of the kinds that fire by themselves one is under way at a time: the newest.
    pub fn add(&mut self, new: Pending) {
        if new.kind != Trigger::Action {
            self.pending.retain(|p| p.kind != new.kind);
        }
        if new.hits > 0 || new.post > 0 {
            self.pending.push(new);
        }
    }

    /// Requests under way.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Forgets all requests.
    pub fn clear(&mut self) {
        self.pending.clear();
    }

    /// The next frame is here: adds the tag that each request gives it.
    pub fn next(&mut self, tags: &mut Vec<Tag>) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.retain_mut(|p| {
            let role = if p.hits > 0 { Role::Hit } else { Role::Post };
            match role {
                Role::Hit => p.hits -= 1,
                _ => p.post -= 1,
            }
            tags.push(Tag { trigger: p.kind, reason: p.reason.clone(), role, offset: p.offset });
            p.offset += 1;
            p.hits > 0 || p.post > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(kind: Trigger, hits: u32, post: u32) -> Pending {
        Pending { kind, reason: "r".into(), hits, post, offset: 0 }
    }

    fn roles(plan: &mut Plan, frames: usize) -> Vec<Vec<(Role, i64)>> {
        (0..frames)
            .map(|_| {
                let mut tags = Vec::new();
                plan.next(&mut tags);
                tags.iter().map(|t| (t.role, t.offset)).collect()
            })
            .collect()
    }

    #[test]
    fn hits_come_first_and_then_what_follows_them() {
        let mut plan = Plan::default();
        plan.add(pending(Trigger::Action, 2, 1));
        assert_eq!(
            roles(&mut plan, 4),
            vec![vec![(Role::Hit, 0)], vec![(Role::Hit, 1)], vec![(Role::Post, 2)], vec![]]
        );
    }

    #[test]
    fn a_new_hit_of_the_same_kind_starts_its_post_roll_again() {
        let mut plan = Plan::default();
        plan.add(pending(Trigger::Ng, 1, 2));
        roles(&mut plan, 2);
        plan.add(pending(Trigger::Ng, 1, 2));
        assert_eq!(plan.len(), 1);
        assert_eq!(
            roles(&mut plan, 4),
            vec![vec![(Role::Hit, 0)], vec![(Role::Post, 1)], vec![(Role::Post, 2)], vec![]]
        );
    }

    #[test]
    fn actions_run_beside_each_other() {
        let mut plan = Plan::default();
        plan.add(pending(Trigger::Action, 1, 0));
        plan.add(pending(Trigger::Action, 2, 0));
        assert_eq!(roles(&mut plan, 2), vec![vec![(Role::Hit, 0), (Role::Hit, 0)], vec![(Role::Hit, 1)]]);
    }
}
