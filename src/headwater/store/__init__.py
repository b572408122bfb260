"""Verified bytes on disk: files shared in place, videos being fetched, proofs, blobs, quota."""
