"""True outcomes of predictions: checked, kept in Postgres, and put where a training reads them."""
