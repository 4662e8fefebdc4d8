"""Figures for Prometheus: what is counted (`meter`), what is read of the database (`stored`), how it is served."""
