// Package gitsync follows one branch of one Git remote and hands on its new commits, oldest first, each exactly when the caller
// has taken those before it.
//
// Open opens the mirror on disk, or makes it, and asks nobody. Run blocks, looks at the remote, and calls take:
//
//	f, err := gitsync.Open(ctx, gitsync.Options{URL: "https://example.com/config.git", Branch: "main", Dir: dir})
//	…
//	defer f.Close()
//	err = f.Run(ctx, taken, func(ctx context.Context, u gitsync.Update) error {
//		for _, c := range u.Commits { … }
//		return nil
//	})
//
// What it promises:
//
//   - take is called by one goroutine, Run's own. An update is handed on again until take accepts it. A slow take delays the next
//     look and nothing else: what was pushed meanwhile comes as one update.
//   - A commit is handed on only when it, its trees and its blobs are in the mirror. Whatever a remote does, be it stall, lie,
//     break off or vanish, the last good head stays, the reason stands in State, and looking goes on with backoff.
//   - A commit that the branch loses stays readable: a ref of ours keeps it before anything is moved.
//   - The process may be killed at any moment. The next Open finds the head from before or the head from after.
//   - A hint only says "look". Any number of them while a look runs become one more look.
//   - Readers (Commit, Tree, Blob and the like) may be called from any goroutine, during a fetch and a repack too.
//   - Tags are those of the last look, whether the branch moved or not, and are known after a restart without the remote. The mirror
//     fetches none of them: they name commits that it has anyway.
//
// Named finds a commit by its digits, 7 of them being enough, or by a tag. Chain walks down the first parents of a commit and tells
// what each changed in a folder; its Inverse finds which earlier commits one takes back, by comparing files and nothing else. What a
// message says about that is told by ClaimOf, and may be wrong.
//
// Signer tells whose key signed a commit, of those that ParseKeyring was given; Mailmap tells which names are one person's. Both
// are functions of what they are asked about: a Commit holds what its author claims, and nothing of these.
//
// The mirror is a bare Git repository with the full history of the branch, so that any git command reads it.
package gitsync
