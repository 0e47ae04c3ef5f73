"""The report: one context (`context.build`), set as HTML (`html.render`) and as LaTeX (`latex.render`).

`claimtrack.report.write.write_report` writes both with all that belongs to them.
"""
