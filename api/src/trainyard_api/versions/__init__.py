"""Model versions over REST: what they are, how they compare, and when each was the champion."""
