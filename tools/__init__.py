"""Programs that make the pictures, diagrams and figures of the documentation."""
