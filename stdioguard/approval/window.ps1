# The question in a window of Windows'. It reads what window.py reads, as data from its standard input, and writes the decision on a line,
# then, where one was asked for, the passphrase. Enter, Escape and closing deny.
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName System.Windows.Forms
Add-Type -AssemblyName System.Drawing
$reader = New-Object System.IO.StreamReader([Console]::OpenStandardInput(), [System.Text.Encoding]::UTF8)
$asked = $reader.ReadToEnd() | ConvertFrom-Json
$choices = @($asked.choices)
$form = New-Object System.Windows.Forms.Form
$form.Text = $asked.title
$form.ClientSize = New-Object System.Drawing.Size(700, 480)
$form.StartPosition = 'CenterScreen'
$form.TopMost = $true
$heading = New-Object System.Windows.Forms.Label
$heading.UseMnemonic = $false
$heading.Text = $asked.heading
$heading.SetBounds(16, 12, 668, 24)
$box = New-Object System.Windows.Forms.TextBox
$box.Multiline = $true
$box.ReadOnly = $true
$box.ScrollBars = 'Vertical'
$box.TabStop = $false
$box.Font = New-Object System.Drawing.Font('Consolas', 10)
$box.Text = $asked.text -replace "`n", "`r`n"
$box.SetBounds(16, 40, 668, 336)
$label = New-Object System.Windows.Forms.Label
$label.UseMnemonic = $false
$label.Text = 'Your passphrase'
if ($asked.wrong) { $label.Text = $asked.wrong }
$label.SetBounds(16, 392, 300, 24)
$label.Visible = $asked.passphrase
$secret = New-Object System.Windows.Forms.TextBox
$secret.UseSystemPasswordChar = $true
$secret.MaxLength = 1024
$secret.SetBounds(324, 388, 360, 28)
$secret.Visible = $asked.passphrase
$script:said = 'deny'
$deny = New-Object System.Windows.Forms.Button
$deny.Text = 'Deny'
$deny.SetBounds(234, 432, 130, 32)
$deny.Add_Click({ $script:said = 'deny'; $form.Close() })
$once = New-Object System.Windows.Forms.Button
$once.Text = 'Allow once'
$once.Enabled = $false
$once.Visible = $choices -contains 'once'
$once.SetBounds(374, 432, 140, 32)
$once.Add_Click({ $script:said = 'once'; $form.Close() })
$session = New-Object System.Windows.Forms.Button
$session.Text = 'Allow for the session'
$session.Enabled = $false
$session.Visible = $choices -contains 'session'
$session.SetBounds(524, 432, 160, 32)
$session.Add_Click({ $script:said = 'session'; $form.Close() })
$timer = New-Object System.Windows.Forms.Timer
$timer.Interval = 1000
$timer.Add_Tick({ $timer.Stop(); $once.Enabled = $true; $session.Enabled = $true })
$form.Controls.AddRange(@($secret, $deny, $once, $session, $heading, $label, $box))
$form.AcceptButton = $deny
$form.CancelButton = $deny
$form.ActiveControl = $deny
$form.Add_Shown({ $form.Activate(); $timer.Start() })
[void]$form.ShowDialog()
$answer = $script:said
if ($asked.passphrase -and $answer -ne 'deny') { $answer += "`n" + $secret.Text }
$bytes = (New-Object System.Text.UTF8Encoding($false)).GetBytes($answer)
$out = [Console]::OpenStandardOutput()
$out.Write($bytes, 0, $bytes.Length)
$out.Flush()
